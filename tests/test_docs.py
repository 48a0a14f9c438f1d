"""Every command, link and import in README and docs: commands parse and name what is there; the cheap ones run.

A command is a line of a code block that starts with `qmfn `, `python scripts/` or `make `. What stands for something of
the reader's (`DIR`, `a.jpg`) is replaced by `PLACEHOLDERS` first.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from qmfn.backends.request import request_of
from qmfn.cli import command as find_command
from qmfn.cli import commands
from qmfn.cli import main as qmfn
from qmfn.design import load_config
from qmfn.devices import find_device
from qmfn.errors import UserError
from qmfn.flow import STEP_NAMES
from qmfn.model.initial import design_checkpoint

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

PLACEHOLDERS = {
    "DIR": "people",
    "FILE": "pairs.txt",
    "PROJECT": "hls_project/w4a4",
    "COMMAND": "convert",
    "a.jpg": "people/a/0.png",
    "b.jpg": "people/b/0.png",
    "photo.jpg": "people/a/0.png",
}
"""Words of a command line that stand for something of the reader's -> what a test puts there."""

SECONDS = {"estimate", "fold", "convert"}
"""Commands that run here on a network of the size of tiny.yml, which takes seconds."""

AT_ONCE = {"doctor", "schema", "completion"}
"""Commands that run here as they stand."""

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:\A|\n)\n((?:(?: {4,}.*)?\n)+)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NAMES = [command.name for command in commands()]
ENTRY_POINTS = ("qmfn ", "python scripts/", "make ")


@dataclass(frozen=True)
class Command:
    """`words` as a shell would split them, placeholders replaced; `page` says where it stands."""

    page: str
    line: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """As after `qmfn`."""
        return self.words[1] if self.words[0] == "qmfn" else Path(self.words[1]).stem.replace("_", "-")

    @property
    def arguments(self) -> list[str]:
        return list(self.words[2:])


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, text) of every code block, fenced or indented by four spaces."""
    for indent, language, body in BLOCK.findall(text):
        yield language, re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
    for body in INDENTED.findall(BLOCK.sub("\n", text)):
        yield "", body


def commands_of(page: Path) -> Iterator[Command]:
    for _, body in blocks(page.read_text(encoding="utf-8")):
        for line in re.sub(r"\\\n\s*", " ", body).splitlines():
            if line.strip().startswith(ENTRY_POINTS):
                words = shlex.split(line, comments=True)
                replaced = tuple(PLACEHOLDERS.get(word, word) for word in words)
                yield Command(str(page.relative_to(ROOT)), line.strip(), replaced)


ALL = list({(command.page, command.words): command for page in PAGES for command in commands_of(page)}.values())
MAKES = [command for command in ALL if command.words[0] == "make"]
OTHERS = [command for command in ALL if command.words[0] != "make"]


def each(commands: list[Command]):
    return pytest.mark.parametrize("command", commands, ids=[f"{one.page}: {one.line}"[:110] for one in commands])


def options_of(command: Command):
    """What the command's own parser makes of the line."""
    assert command.name in NAMES, f"{command.page}: there is no command {command.name}"
    return find_command(command.name).parser().parse_args(command.arguments)


def is_help(command: Command) -> bool:
    return bool({"--help", "--version"} & set(command.words))


@functools.cache
def designs_of_pages() -> dict[str, str]:
    """Design files that a page spells out, by the name that its commands use: `name: half` is half.yml."""
    found = [body for page in PAGES for language, body in blocks(page.read_text()) if language == "yaml"]
    return {f"{yaml.safe_load(body)['name']}.yml": body for body in found if "\nname: " in f"\n{body}"}


@functools.cache
def written_by_pages() -> dict[str, Command]:
    """Files that a command of a page writes by `--output`, with the command."""
    return {
        command.words[command.words.index("--output") + 1]: command for command in OTHERS if "--output" in command.words
    }


def test_pages_are_found_and_have_commands():
    assert len(PAGES) >= 9
    assert len(OTHERS) >= 40 and {command.name for command in MAKES} >= {"convert", "test"}
    assert [words for words in map(shlex.split, ["qmfn convert --set 'a={b: 1}'"]) if "a={b: 1}" in words]


@each(OTHERS)
def test_a_command_parses_and_its_script_exists(command):
    if command.words[0] == "python":
        assert (ROOT / command.words[1]).is_file()
    if is_help(command):
        return  # run below
    options_of(command)


@each(MAKES)
def test_a_make_target_and_its_variables_exist(command):
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()
    for word in command.words[1:]:
        variable, equals, value = word.partition("=")
        assert variable in targets or (equals and re.search(rf"^{variable} \?=", text, re.MULTILINE)), word
        assert variable != "CONFIG" or (ROOT / value).is_file(), word


DESIGNS = [command for command in OTHERS if "--config" in command.words]


@each(DESIGNS)
def test_a_design_exists_and_can_be_what_the_line_asks_for(command, tmp_path):
    """At full size: the overrides load, and every layer can have its folding or reuse factor."""
    options = options_of(command)
    path = ROOT / options.config
    if options.config in designs_of_pages():
        path = tmp_path / options.config
        path.write_text(designs_of_pages()[options.config])
    elif options.config in written_by_pages():
        path = ROOT / options_of(written_by_pages()[options.config]).config  # the same network
        if not path.is_file():
            return
    config = load_config(path, options.overrides)
    if getattr(options, "part", None):
        find_device(options.part)
    if any(text.startswith("checkpoint=") for text in options.overrides):
        return  # the page's own training makes it
    if config.checkpoint is not None and config.hls.reuse_factor != "auto":  # random weights are calibrated: seconds
        request_of(config, design_checkpoint(config))


@pytest.fixture(scope="module")
def small(tmp_path_factory, configs) -> Path:
    """A folder in which commands of the pages run: each design by its name, with the network of tiny.yml."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "configs").mkdir()
    tiny = yaml.safe_load((configs / "tiny.yml").read_text())
    designs = {f"configs/{path.name}": yaml.safe_load(path.read_text()) for path in configs.glob("*.yml")}
    designs |= {name: yaml.safe_load(text) for name, text in designs_of_pages().items()}
    for name, design in designs.items():
        hls = {key: design["hls"][key] for key in ("dataflow", "backend", "part") if key in design["hls"]}
        small = {**tiny, "name": design["name"], "hls": {**tiny["hls"], **hls}}
        (folder / name).write_text(yaml.safe_dump(small))
    return folder


def arguments_here(command: Command) -> list[str]:
    """The command's arguments on the small network: foldings are those of another layer's size, faces are not there."""
    words = command.arguments
    for option in ("--faces", "--target-fps", "--budget", "--pareto"):
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
    while any(word.startswith("hls.layers") for word in words):
        place = next(i for i, word in enumerate(words) if word.startswith("hls.layers"))
        del words[place - 1 : place + 1]
    if command.name == "convert":
        until = words[words.index("--until") + 1] if "--until" in words else "estimate"
        if STEP_NAMES.index(until) > STEP_NAMES.index("write"):
            words += ["--until", "write"]
    if command.name == "fold":
        words += ["--target-fps", "5000"]
    return words


def runs() -> list[Command]:
    """One command of each kind that runs here: what differs in words that `arguments_here` drops is one kind."""
    kinds = {}
    for command in OTHERS:
        if is_help(command) or command.name in AT_ONCE:
            kinds.setdefault(command.words, command)
        elif command.name in SECONDS:
            kinds.setdefault((command.name, *arguments_here(command)), command)
    return list(kinds.values())


@pytest.mark.slow
@each(runs())
def test_a_cheap_command_runs(command, small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    written = written_by_pages().get(getattr(options_of(command), "config", None)) if not is_help(command) else None
    if written:  # by an earlier line of the page
        assert qmfn([written.name, *arguments_here(written)]) == 0, capsys.readouterr().err
    words = command.arguments if command.name in AT_ONCE or is_help(command) else arguments_here(command)
    try:
        code = qmfn([command.name, *words])
    except SystemExit as stopped:  # --help
        code = stopped.code
    assert code == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_to_files_and_headings(page):
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(BLOCK.sub("", text)):
        if target.startswith(("http:", "https:")):
            continue
        file, _, heading = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{target}: there is no {path}"
        if heading:
            assert heading in anchors(path), f"{target}: there is no such heading"


def anchors(page: Path) -> set[str]:
    """Headings as GitHub makes links of them."""
    titles = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_python_in_pages_is_python_and_imports_what_is_there():
    for page in PAGES:
        for language, body in blocks(page.read_text()):
            if language != "python":
                continue
            for node in ast.walk(ast.parse(body)):
                if isinstance(node, ast.ImportFrom):
                    module = importlib.import_module(node.module)
                    assert all(hasattr(module, alias.name) for alias in node.names), f"{page}: {node.module}"


def test_a_wrong_line_is_found():
    """The checks above do fail."""
    with pytest.raises(SystemExit):
        options_of(Command("page", "", ("qmfn", "convert", "--confg", "configs/w8a8.yml")))
    with pytest.raises(AssertionError, match="no command foldd"):
        options_of(Command("page", "", ("qmfn", "foldd")))
    with pytest.raises(UserError):
        load_config(ROOT / "configs" / "w4a4.yml", ["hls.layer={}"])
