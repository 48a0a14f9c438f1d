"""A library is compiled once, kept by content, and never taken on trust."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.designs import written

from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.initial import design_checkpoint
from qmfn.simulation import compiler

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("QMFN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    config = load_config(ROOT / "configs" / "tiny.yml")
    written(config, design_checkpoint(config), folder)
    return folder


@pytest.fixture
def compiles(monkeypatch) -> list[Path]:
    """Stands in for the compiler: writes a library that tells which one it is; lists what was compiled."""
    done = []

    def fake(_compiler, folder, types, target):
        done.append(target)
        (target / compiler.LIBRARY).write_text(f"{types} library {len(done)}")

    monkeypatch.setattr(compiler, "_compile", fake)
    return done


def test_the_same_content_is_compiled_once(cache, folder, compiles):
    first = compiler.library_for(folder, "fast")
    assert compiler.library_for(folder, "fast") == first
    assert len(compiles) == 1 and first.read_text() == "fast library 1"


def test_other_types_flags_or_sources_are_another_library(cache, folder, compiles, monkeypatch):
    libraries = [compiler.library_for(folder, "fast"), compiler.library_for(folder, "reference")]
    monkeypatch.setattr(compiler, "COMMON_FLAGS", (*compiler.COMMON_FLAGS, "-g"))
    libraries.append(compiler.library_for(folder, "fast"))
    weights = next((folder / "firmware" / "weights").glob("w*.h"))
    right = weights.read_text()
    weights.write_text(right + "// changed\n")
    try:
        libraries.append(compiler.library_for(folder, "fast"))
    finally:
        weights.write_text(right)
    assert len(set(libraries)) == len(compiles) == 4


@pytest.mark.parametrize("damage", [lambda file: file.write_text("other"), Path.unlink])
@pytest.mark.parametrize("name", [compiler.LIBRARY, compiler.CHECKSUM])
def test_a_damaged_entry_is_rebuilt(cache, folder, compiles, damage, name):
    library = compiler.library_for(folder, "fast")
    damage(library.parent / name)
    assert compiler.library_for(folder, "fast") == library
    assert library.read_text() == "fast library 2"


def test_an_interrupted_compilation_leaves_nothing(cache, folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(compiler, "_compile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compiler.library_for(folder, "fast")
    assert list(cache.iterdir()) == []


def test_the_longest_unused_libraries_are_forgotten(cache, folder, compiles, monkeypatch):
    monkeypatch.setattr(compiler, "KEPT_LIBRARIES", 2)
    entries = [cache / name for name in ("oldest", "older")]
    for age, entry in enumerate(entries):
        entry.mkdir(parents=True)
        os.utime(entry, (age, age))
    library = compiler.library_for(folder, "fast")
    assert sorted(cache.iterdir()) == sorted([entries[1], library.parent])


def test_a_cache_that_cannot_be_written_is_named(folder, compiles, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("QMFN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="file/cache: the cache of C-simulations can't be written"):
        compiler.library_for(folder, "fast")


def test_a_compiler_that_fails_is_quoted(tmp_path):
    with pytest.raises(UserError, match="sh: can't compile the HLS project: x.cpp:1: error: no such type"):
        compiler.run_compilers([["sh", "-c", "echo compiling; echo 'x.cpp:1: error: no such type' >&2; exit 1"]])


def test_when_one_compiler_fails_the_other_ends_too(tmp_path):
    alive = tmp_path / "alive"
    commands = [["sh", "-c", "exit 1"], ["sh", "-c", f"sleep 30; touch {alive}"]]
    with pytest.raises(UserError):
        compiler.run_compilers(commands)
    assert not alive.exists()
