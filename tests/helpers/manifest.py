"""SHA-256 of every file of generated projects: what a change of structure must leave as it is.

`python tests/helpers/manifest.py` converts all designs for both tools (about 8 minutes on 2 cores) and writes
`tests/generated.sha256`; `tests/test_generated.py` compares. Time stamps and the output folder are replaced by fixed
text. Reports, `evaluation.json` and `plan.json` are left out: they say what was measured, or describe the project; so
are the faces of the test bench (`tb_data`), whose alignment is floating point that depends on the processor.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "tests" / "generated.sha256"

PROJECTS: Mapping[str, tuple[str, ...]] = {
    f"{name}-{tool}": (f"configs/{config}.yml", f"hls.backend={tool}", "comparison.images=1", *overrides)
    for name, config, overrides in (
        ("tiny", "tiny", ()),
        ("tiny_folded", "tiny", ("hls.dataflow=folded",)),
        ("stock", "stock", ()),
        ("w8a8", "w8a8", ()),
        ("w4a4", "w4a4", ()),
        ("mixed", "mixed", ()),
        ("extreme", "extreme", ()),
    )
    for tool in ("Vitis", "Vivado")
}
"""Project -> design file and overrides."""

QUICK = tuple(project for project in PROJECTS if project.startswith("tiny"))
"""Projects that take seconds."""

LEFT_OUT = re.compile(r"report\.\w+|evaluation\.json|plan\.(?:json|npz)|\.qmfn.*|tb_data/.*")
STAMPS = re.compile(rb"^(LIB_STAMP=|Stamp: )'?\w+'?$", re.MULTILINE)  # YAML quotes what looks like a number
WHOLE = ("firmware/nnet_utils", "firmware/ac_types")
"""Folders that hls4ml copies: one line of the manifest each."""


def digests(folder: Path) -> dict[str, str]:
    """Path inside the project -> SHA-256 of its normalised content."""
    found: dict[str, str] = {}
    together = {name: hashlib.sha256() for name in WHOLE}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if LEFT_OUT.fullmatch(name):
            continue
        content = STAMPS.sub(rb"\1STAMP", path.read_bytes().replace(str(folder.resolve()).encode(), b"PROJECT"))
        parent = next((whole for whole in WHOLE if name.startswith(f"{whole}/")), None)
        if parent:
            together[parent].update(name.encode() + b"\0" + content)
        else:
            found[name] = hashlib.sha256(content).hexdigest()
    return found | {name: total.hexdigest() for name, total in together.items()}


def converted(project: str, output: Path) -> dict[str, str]:
    """Convert a project by command, as a user does; its digests."""
    config, *overrides = PROJECTS[project]
    words = [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "scripts/convert.py", "--config", config, *words, "--output", str(output / project)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return digests(output / project / Path(config).stem)


def read_manifest() -> dict[str, dict[str, str]]:
    """Project -> path -> SHA-256."""
    manifest: dict[str, dict[str, str]] = {}
    for line in MANIFEST.read_text().splitlines():
        digest, path = line.split("  ")
        project, name = path.split("/", maxsplit=1)
        manifest.setdefault(project, {})[name] = digest
    return manifest


def main(projects: Sequence[str]) -> None:
    """Convert the projects, or all, and write their lines of the manifest anew."""
    manifest = read_manifest() if MANIFEST.exists() else {}
    with tempfile.TemporaryDirectory(prefix="qmfn-manifest-") as output:
        for project in projects or PROJECTS:
            manifest[project] = converted(project, Path(output))
            print(f"{project}: {len(manifest[project])} files", flush=True)
            lines = [f"{digest}  {name}/{path}" for name in manifest for path, digest in manifest[name].items()]
            MANIFEST.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
