"""A folder of designs and data for the command lines, right and wrong, and a way to run them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from qmfn.cli import command as find_command
from qmfn.design import load_config
from qmfn.model.initial import random_checkpoint
from qmfn.network.checkpoint import save_checkpoint
from qmfn.network.mobilefacenet import architecture
from qmfn.network.parameters import random_parameters
from qmfn.projects import Place

TRAINING = {
    "float_weights": "weights.npz",
    "faces": ["faces"],
    "held_out_identities": 2,
    "calibration_images": 2,
    "steps": 0,
}


@dataclass(frozen=True)
class Outcome:
    """What a command line left behind."""

    code: int
    out: str
    err: str

    @property
    def last_errors(self) -> list[str]:
        """Lines of stderr as a terminal shows them: a progress bar that went away leaves none."""
        return [shown for line in self.err.split("\n") if (shown := line.split("\r")[-1].strip())]


@pytest.fixture(scope="session")
def material(tmp_path_factory, configs, write_faces, write_float_weights) -> Path:
    """`tiny.yml` and `trained.yml` (tiny with a checkpoint) with all that they need, and much that nobody can use."""
    folder = tmp_path_factory.mktemp("material")
    write_designs(folder, yaml.safe_load((configs / "tiny.yml").read_text()))
    write_faces(folder / "faces", people=4, pictures=3, size=32)
    tiny = load_config(folder / "tiny.yml")
    save_checkpoint(random_checkpoint(tiny, seed=0), folder / "tiny.npz")
    write_float_weights(folder / "weights.npz", random_parameters(architecture(tiny.model), seed=0))
    write_wrong_designs(folder)
    write_wrong_checkpoints(folder)
    write_wrong_faces(folder)
    write_pairs(folder)
    write_places(folder)
    return folder


def write_designs(folder: Path, tiny: dict) -> None:
    tiny["comparison"] = {"faces": "faces", "images": 2}
    tiny["training"] = TRAINING
    (folder / "tiny.yml").write_text(yaml.safe_dump(tiny))
    (folder / "trained.yml").write_text(yaml.safe_dump(tiny | {"checkpoint": "tiny.npz"}))


def write_wrong_designs(folder: Path) -> None:
    (folder / "empty.yml").touch()
    (folder / "twice.yml").write_text("name: tiny\nhls: {reuse_factor: 4}\nhls: {reuse_factor: 8}\n")
    (folder / "list.yml").write_text("- name: tiny\n")
    (folder / "broken.yml").write_text("name: tiny\nhls: {reuse_factor: 4\n")
    (folder / "latin.yml").write_bytes("name: tiny # für".encode("latin-1"))
    (folder / "nameless.yml").write_text("hls: {reuse_factor: 4}\n")
    (folder / "colour.yml").write_text("name: tiny\nhls: {colour: red}\n")


def write_wrong_checkpoints(folder: Path) -> None:
    whole = (folder / "tiny.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "text.npz").write_text("a checkpoint")


def write_wrong_faces(folder: Path) -> None:
    random = np.random.default_rng(0)
    (folder / "no_faces").mkdir()
    (folder / "file.txt").write_text("nothing")
    (folder / "text.png").write_text("a picture")
    grass = Image.fromarray(random.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    grass.save(folder / "grass.png")
    (folder / "truncated.png").write_bytes((folder / "grass.png").read_bytes()[:2000])
    shutil.copytree(folder / "faces" / "person0", folder / "damaged_faces")
    (folder / "damaged_faces" / "0.png").write_bytes((folder / "truncated.png").read_bytes())


def write_pairs(folder: Path) -> None:
    """20 pairs of the faces: every two pictures of a person, and of two persons."""
    pictures = [f"person{person}/{picture}.png" for person in range(4) for picture in range(3)]
    pairs = [(left, right) for left in pictures for right in pictures if left < right]
    same = [f"{left},{right},1" for left, right in pairs if left[:7] == right[:7]]
    different = [f"{left},{right},0" for left, right in pairs if left[:7] != right[:7]]
    (folder / "pairs.csv").write_text("\n".join(same[:10] + different[:10]) + "\n")
    (folder / "few_pairs.csv").write_text("\n".join(same[:2] + different[:10]) + "\n")
    (folder / "unknown_pairs.csv").write_text((folder / "pairs.csv").read_text().replace("person0/0", "nobody/0"))
    (folder / "malformed.csv").write_text("person0/0.png,person0/1.png\n")


def write_places(folder: Path) -> None:
    """What may stand where a project goes, and stays."""
    places = folder / "places"
    (places / "thesis" / "photos").mkdir(parents=True)
    (places / "thesis" / "thesis.txt").write_text("my thesis")
    (places / "file").write_text("my notes")
    (places / "finished").mkdir()
    Place(places / "finished", folder / "tiny.yml", finished=True).mark(places / "finished")


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Where these tests keep compiled libraries, so that the user's stay untouched."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _at_the_material(material, cache, monkeypatch):
    """Paths of the command lines are relative to the material, which is the shared data folder, too."""
    monkeypatch.chdir(material)
    monkeypatch.setenv("QMFN_SHARED", str(material))
    monkeypatch.setenv("QMFN_CACHE", str(cache))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def call(capsys) -> Callable[..., Outcome]:
    """Run a command in this process: `call("convert", "--config", "tiny.yml")`."""

    def run(command: str, *arguments: str | Path) -> Outcome:
        capsys.readouterr()
        code = find_command(command).main([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def start(repository, cache) -> Callable[..., subprocess.Popen]:
    """Start a script as a user does: `start("convert", "--config", "tiny.yml", CXX="none")`."""

    def run(script: str, *arguments: str | Path, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, repository / "scripts" / f"{script}.py", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(repository), "QMFN_CACHE": str(cache), **environment},
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def finish() -> Callable[[subprocess.Popen], Outcome]:
    def wait(process: subprocess.Popen) -> Outcome:
        out, err = process.communicate(timeout=600)  # of a machine with much other work
        return Outcome(process.returncode, out, err)

    return wait


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, bytes | None]]:
    """Everything below a folder: path -> content, None for folders."""

    def take(folder: Path) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }

    return take


@pytest.fixture
def earlier(tmp_path, material) -> Path:
    """A folder of projects with an earlier good result of the small design, of some of the steps."""
    output = tmp_path / "projects"
    (output / "tiny" / "firmware").mkdir(parents=True)
    (output / "tiny" / "report.json").write_text('{"earlier": true}')
    (output / "tiny" / "firmware" / "qmfn.cpp").write_text("// earlier")
    Place(output / "tiny", material / "tiny.yml", finished=False).mark(output / "tiny")
    return output
