"""`qmfn doctor`: each thing that is missing names its remedy, and only what a conversion needs makes it fail."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from qmfn import doctor


@pytest.fixture
def path_of(tmp_path, monkeypatch):
    """A function that makes PATH a folder with only these programs: names found on the real one, or scripts."""
    real = os.environ["PATH"]
    folder = tmp_path / "bin"
    folder.mkdir()

    def only(*programs: str, **scripts: str) -> None:
        for program in programs:
            (folder / program).symlink_to(shutil.which(program, path=real))
        for name, text in scripts.items():
            (folder / name.replace("_dash_", "-")).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name.replace("_dash_", "-")).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.delenv("CXX", raising=False)

    return only


@pytest.fixture
def diagnose(call, tmp_path):
    """Run the command; its exit code, what it printed, and its findings by name."""

    def run() -> tuple[int, str, dict[str, dict]]:
        outcome = call("doctor", "--json", tmp_path / "doctor.json")
        assert outcome.err == ""
        result = json.loads((tmp_path / "doctor.json").read_text())
        assert result["ready"] == (outcome.code == 0)
        return outcome.code, outcome.out, {one["name"]: one for one in result["findings"]}

    return run


def test_a_machine_that_converts_is_ready(diagnose):
    code, out, found = diagnose()
    assert code == 0, out
    assert out.endswith("Ready: all that a conversion needs is there.\n")
    for name in ("Python", "qkeras", "hls4ml", "C++ compiler", "cache folder", "face detector", "cores", "memory"):
        assert found[name]["state"] == "ok", found[name]
    assert found["hls4ml backends"]["found"] == "vitisfolded, vivadofolded"


def test_without_a_compiler_it_names_the_package_and_fails(diagnose, path_of):
    path_of()
    code, out, found = diagnose()
    assert code == 1
    assert found["C++ compiler"]["state"] == "missing"
    assert "MISSING  C++ compiler: install g++ (apt install g++), or set CXX to another g++" in out
    assert "g++: no such C++ compiler on PATH" in out and out.endswith("Not ready: C++ compiler missing.\n")


def test_a_compiler_that_cannot_compile_is_no_compiler(path_of):
    path_of(**{"g++": "echo 'fatal error: no headers' >&2; exit 1"})
    found = doctor.compiler()
    assert found.state == "missing" and found.found.endswith("can't compile a C-simulation: fatal error: no headers")


def test_without_the_vendor_tools_it_is_ready_and_says_what_works(diagnose, path_of):
    path_of("g++", "as", "ld")
    code, out, found = diagnose()
    assert code == 0, out
    for name, remedy in (
        ("Vitis HLS", "install AMD Vitis, source its settings64.sh"),
        ("Vivado HLS", "convert with hls.backend=Vitis"),
        ("Vivado", "install AMD Vivado, source its settings64.sh"),
        ("clang", "apt install clang"),
    ):
        assert (found[name]["state"], found[name]["required"]) == ("missing", False)
        assert remedy in found[name]["remedy"] and f"absent   {name}: " in out


def test_vendor_tools_are_found_by_either_name(path_of):
    path_of(vitis_hls="", vivado="")
    found = {one.name: one for one in doctor.tools()}
    assert found["Vitis HLS"].found.endswith("bin/vitis_hls")
    assert [found[name].state for name in ("Vitis HLS", "Vivado HLS", "Vivado")] == ["ok", "missing", "ok"]


def test_without_the_detector_it_names_the_package_and_fails(diagnose, monkeypatch):
    find, version = doctor.find_spec, importlib.metadata.version

    def no_version(name: str) -> str:
        if name == "mtcnn":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "mtcnn" else find(name))
    monkeypatch.setattr(importlib.metadata, "version", no_version)
    code, out, found = diagnose()
    assert code == 1
    assert found["face detector"]["remedy"] == 'pip install "mtcnn>=1.0"'
    assert found["mtcnn"]["remedy"] == 'pip install --constraint constraints.txt "mtcnn>=1.0"'
    assert out.endswith("Not ready: mtcnn, face detector missing.\n")


def test_a_package_of_the_wrong_version_says_which_is_needed():
    found = doctor.package(Requirement("numpy<1"))
    assert found.state == "missing" and found.found.endswith(", but <1 is needed")


def test_the_wrong_python_names_the_right_one(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(doctor.sys, "version_info", (3, 13, 0))
        found = doctor.python()
    assert found.state == "missing" and "install Python 3.11" in found.remedy


def test_a_backend_that_is_not_registered_is_missed(monkeypatch):
    import hls4ml.backends

    monkeypatch.setattr(hls4ml.backends, "get_available_backends", lambda: ["vitis", "vitisfolded"])
    found = doctor.backends()
    assert found.state == "missing" and found.found == "vivadofolded: not registered"


def test_a_cache_that_cannot_be_written_names_the_variable(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("QMFN_CACHE", str(tmp_path / "file" / "cache"))
    found = doctor.cache()
    assert (found.state, found.required) == ("missing", True)
    assert found.remedy == "set QMFN_CACHE to a folder that you can write"


def test_shared_data_are_listed_one_by_one(monkeypatch, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "lfw_112.tar").touch()
    monkeypatch.setenv("QMFN_SHARED", str(tmp_path))
    found = {one.name: one for one in doctor.shared_files()}
    assert [name for name, one in found.items() if one.state == "ok"] == ["faces/lfw_112.tar"]
    assert not any(one.required for one in found.values())
    assert found["synthesis"].remedy == "set QMFN_SHARED to the folder that holds synthesis"


def test_it_runs_where_no_package_is_installed(repository, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(repository)!r}); from qmfn.cli import main; sys.exit(main(['doctor']))"
    # -S: without site-packages, as in an environment where nothing was installed yet; -I: from nowhere else.
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert outcome.returncode == 1 and outcome.stderr == ""
    for name in ("packages", "hls4ml backends", "face detector"):
        assert f"MISSING  {name}: " in outcome.stdout
    assert "pip install" in outcome.stdout


def test_every_missing_thing_has_a_remedy_of_one_line(monkeypatch, path_of, tmp_path):
    path_of()
    monkeypatch.setenv("QMFN_SHARED", str(tmp_path / "nowhere"))
    missing = [one for one in doctor.examine() if one.state == "missing"]
    assert len(missing) >= 5 + len(doctor.SHARED_FILES)
    assert all(one.remedy and "\n" not in one.remedy for one in missing)


def test_a_result_that_cannot_be_written_is_an_error(call, tmp_path):
    (tmp_path / "file").touch()
    outcome = call("doctor", "--json", tmp_path / "file" / "doctor.json")
    assert outcome.code == 1 and "can't be written" in outcome.err


def test_the_shared_files_are_those_that_training_uses():
    from qmfn.design import TrainingConfig

    training = TrainingConfig()
    assert {training.float_weights, *training.faces} <= set(doctor.SHARED_FILES)
