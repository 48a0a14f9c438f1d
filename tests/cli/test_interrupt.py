"""Ctrl-C and SIGTERM while the compiler runs: the earlier project stays, nothing else is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

SECONDS_TO_COMPILE = 900  # longer than `finish` waits: who waits for the compiler fails
SECONDS_TO_START = 600  # of a machine with much other work


@pytest.fixture
def slow_compiler(tmp_path) -> Path:
    """A compiler that takes its time, and notes its process beside itself; asked for its version, it just ends."""
    path = tmp_path / "slow-c++"
    path.write_text(f"""#!/bin/sh
case "$*" in *--version*) exit;; esac
echo $$ >> "$0.pids"
exec sleep {SECONDS_TO_COMPILE}
""")
    path.chmod(0o755)
    return path


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_during_compilation_leaves_the_earlier_project_and_nothing_else(
    start, finish, earlier, cache, snapshot, slow_compiler, number
):
    before, kept = snapshot(earlier), sorted(cache.rglob("*"))
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
    assert sorted(cache.rglob("*")) == kept
    assert [pid for pid in pids.read_text().split() if running(int(pid))] == []


def test_an_interrupt_during_simulation_leaves_no_process_and_no_folder(
    start, finish, cache, snapshot, tmp_path, write_faces
):
    """Interrupted while two processes simulate a thousand faces."""
    faces, temporary = tmp_path / "faces", tmp_path / "temporary"
    write_faces(faces, people=20, pictures=50, size=32)
    temporary.mkdir()
    names = sorted(str(path.relative_to(faces)) for path in faces.rglob("*.png"))
    same = [f"{left},{right},1" for left, right in zip(names[::2], names[1::2], strict=True)]
    different = [f"{left},{right},0" for left, right in zip(names[:500], names[500:], strict=True)]
    (tmp_path / "many.csv").write_text("\n".join(same + different))
    process = start(
        "evaluate", "--config", "tiny.yml", "--faces", faces, "--pairs", tmp_path / "many.csv",
        "--engine", "csim", "--jobs", "2", TMPDIR=str(temporary),
    )  # fmt: skip
    try:
        workers = wait_for_workers(process.pid)
        kept = snapshot(cache)
        process.send_signal(signal.SIGINT)
        outcome = finish(process)
    finally:
        process.kill()
    assert outcome.code == 130
    assert outcome.last_errors[-1] == "error: interrupted; what was there before is unchanged."
    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert list(temporary.glob("qmfn.*")) == []
    assert snapshot(cache) == kept


def wait_for_workers(pid: int) -> list[psutil.Process]:
    """The processes that simulate, once there are two."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        children = psutil.Process(pid).children(recursive=True)
        workers = [child for child in children if simulates(child)]
        if len(workers) >= 2:
            return workers
        time.sleep(0.02)
    raise AssertionError("no process simulates")


def simulates(process: psutil.Process) -> bool:
    try:
        return "LokyProcess" in " ".join(process.cmdline())
    except psutil.Error:  # just ended
        return False
