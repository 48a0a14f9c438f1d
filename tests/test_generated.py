"""Every generated file is the one of the manifest: a change of structure changes no project."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.manifest import PROJECTS, QUICK, converted, read_manifest


@pytest.mark.parametrize(
    "project", [pytest.param(name, marks=pytest.mark.slow if name in QUICK else pytest.mark.long) for name in PROJECTS]
)
def test_generated_files_are_those_of_the_manifest(project: str, tmp_path: Path) -> None:
    found, wanted = converted(project, tmp_path), read_manifest()[project]
    differing = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    assert not differing, f"{project}: differ: {', '.join(differing)}; renewed by tests/helpers/manifest.py {project}"
