"""Content hashes and locks."""

from __future__ import annotations

import errno

import pytest

from qmfn import files
from qmfn.files import content_hashes, differences, listed, locked


def test_content_is_known_by_path_and_bytes(tmp_path):
    for name, text in (("a", "1"), ("b/c", "2"), ("b/d", "2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = content_hashes(tmp_path)
    assert list(before) == ["a", "b/c", "b/d"]
    assert before["a"] != before["b/c"] == before["b/d"]
    (tmp_path / "b" / "d").rename(tmp_path / "b" / "e")
    (tmp_path / "a").write_text("3")
    assert differences(before, content_hashes(tmp_path)) == ["a", "b/d", "b/e"]
    assert list(content_hashes(tmp_path, lambda name: name.startswith("b/"))) == ["b/c", "b/e"]


@pytest.mark.parametrize("names, said", [("a", "a"), ("abc", "a, b, c"), ("abcde", "a, b, c and 2 more")])
def test_a_long_list_is_shortened(names, said):
    assert listed(list(names)) == said


def test_a_lock_has_one_holder_and_leaves_no_file(tmp_path):
    path = tmp_path / "lock"
    with locked(path, "first"):
        assert path.read_text() == "first"
        with pytest.raises(BlockingIOError), locked(path, "second"):
            pass
        assert path.read_text() == "first"
    assert not path.exists()
    with locked(path, "second"):
        assert path.read_text() == "second"
    with pytest.raises(KeyError), locked(path, "third"):
        raise KeyError
    assert not path.exists()


def test_a_lock_file_that_was_removed_just_when_it_was_opened_locks_nothing(tmp_path, monkeypatch):
    """Its holder was done between our open and our flock: that file locks nobody out any more."""
    path, flock, calls = tmp_path / "lock", files.fcntl.flock, []

    def removed_meanwhile(file, operation):
        calls.append(file)
        if len(calls) == 1:
            path.unlink()
        flock(file, operation)

    monkeypatch.setattr(files.fcntl, "flock", removed_meanwhile)
    with locked(path, "first"):
        assert len(calls) == 2
        with pytest.raises(BlockingIOError), locked(path, "second"):
            pass


def test_a_file_system_without_locks_is_worked_on_without(tmp_path, monkeypatch):
    def without(*_):
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(files.fcntl, "flock", without)
    with locked(tmp_path / "lock", "first"), locked(tmp_path / "lock", "second"):
        pass
    assert not (tmp_path / "lock").exists()
