"""Ctrl-C and SIGTERM while the compiler runs: the earlier project stays, nothing else is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

SECONDS_TO_COMPILE = 2


@pytest.fixture
def slow_compiler(tmp_path) -> Path:
    """A compiler that takes its time, and notes its process beside itself."""
    path = tmp_path / "slow-c++"
    path.write_text(f'#!/bin/sh\necho $$ >> "$0.pids"\nexec sleep {SECONDS_TO_COMPILE}\n')
    path.chmod(0o755)
    return path


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_during_compilation_leaves_the_earlier_project_and_nothing_else(
    start, finish, earlier, snapshot, slow_compiler, number
):
    before = snapshot(earlier)
    process = start("convert", "--config", "tiny.yml", "--output", earlier, CXX=str(slow_compiler))
    pids = slow_compiler.with_name("slow-c++.pids")
    try:
        wait_for(pids)
        process.send_signal(number)
        outcome = finish(process)
    finally:
        process.kill()
    assert outcome.code == 130
    assert outcome.err == "error: interrupted; what was there before is unchanged.\n"
    assert snapshot(earlier) == before
    assert [pid for pid in pids.read_text().split() if running(int(pid))] == []
