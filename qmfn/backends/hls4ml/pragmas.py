"""Every `#pragma HLS` line against the vendors' user guides, as no vendor tool is here to reject a misspelt one.

Takes C++ source text and a tool; gives one sentence per problem. `pragmas.csv` is the table: one row per option of a
directive, with the page of UG902 (Vivado HLS 2019.2/2020.1) or UG1399 (Vitis HLS) that it was read from.

    form      key: option=value; word: the value alone (`complete`); either: both spellings
    values    the words allowed, in any case, or <int> an expression, <text> anything, <variable> a name that the
              enclosing function declares, <port> one of its parameters
    required  yes, no, or `with type=block|cyclic`: needed beside these values of another option

C++ is read as far as this needs: conditional compilation by the names of macros, blocks by braces, declarations by
their shape. Pragmas inside a macro's definition aren't seen.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, cast

from qmfn.devices.target import Tool
from qmfn.names import PROJECT_NAME

Form = Literal["key", "word", "either"]

MACROS: dict[Tool, frozenset[str]] = {
    "Vitis": frozenset({"__SYNTHESIS__", "__VITIS_HLS__"}),
    "Vivado": frozenset({"__SYNTHESIS__", "__VIVADO_HLS__"}),
}
"""What a tool defines while it synthesises."""

OTHER_PRAGMAS = frozenset({"once", "GCC", "clang", "STDC"})
"""First words of pragmas that are for compilers; any other that isn't HLS is taken for a misspelling."""


@dataclass(frozen=True)
class Option:
    """A row of the table. `condition` is (option, its values) of `with option=value|value`, else empty."""

    name: str
    form: Form
    values: tuple[str, ...]
    required: bool
    condition: tuple[str, tuple[str, ...]] | None
    source: str

    def takes(self, value: str) -> bool:
        return self.values[0].startswith("<") or value.lower() in (known.lower() for known in self.values)


@cache
def directives(tool: Tool) -> Mapping[str, tuple[Option, ...]]:
    """The table for one tool: options by directive, the directive in capitals."""
    found: dict[str, list[Option]] = {}
    with resources.files(__package__).joinpath("pragmas.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["tool"] != tool:
                continue
            condition = None
            if row["required"].startswith("with "):
                other, values = row["required"].removeprefix("with ").split("=")
                condition = (other, tuple(values.split("|")))
            found.setdefault(row["directive"], []).append(
                Option(
                    row["option"], cast(Form, row["form"]), tuple(row["values"].split("|")), row["required"] == "yes",
                    condition, row["source"],
                )
            )  # fmt: skip
    return {directive: tuple(options) for directive, options in found.items()}


def check_pragmas(
    source: str, tool: Tool, name: str, defined: Collection[str] = (), folder: Path | None = None
) -> list[str]:
    """One sentence per problem of the HLS pragmas that the tool sees, in the order of lines.

    Args:
        source: C++.
        tool: Vitis or Vivado; its macros decide on `#ifdef`.
        name: what to call the source, a file name.
        defined: further macros that are defined.
        folder: where files lie that functions include; what these declare counts, their own pragmas don't.
    """
    active = active_source(source, {*MACROS[tool], *defined})
    if folder is not None:
        active = _with_included_declarations(active, folder)
    pragmas = list(_pragmas(active))
    scopes = _scopes(_blank_preprocessor(active), {pragma.position for pragma in pragmas})
    return [
        f"{name}:{pragma.line}: {problem}"
        for pragma in pragmas
        for problem in ([pragma.problem] if pragma.problem else _check(pragma, tool, scopes[pragma.position]))
    ]


def check_project_pragmas(folder: Path, tool: Tool) -> None:
    """Every pragma of a written project's own sources: the top function, the stages, the kernels.

    Raises:
        AssertionError: the tool knows no such pragma, or it names what is not there; all problems, a line each.
    """
    firmware = folder / "firmware"
    sources = [firmware / f"{PROJECT_NAME}.cpp", firmware / "parameters.h", *sorted((firmware / "folded").glob("*.h"))]
    problems = [
        problem for file in sources for problem in check_pragmas(file.read_text(), tool, file.name, folder=firmware)
    ]
    assert not problems, "\n".join(problems)


# --- pragma lines --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pragma:
    """A pragma as written: its place, its directive in capitals, `option=value` pairs and words that stand alone."""

    line: int
    position: int
    directive: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    problem: str = ""


LINE = re.compile(r"^[ \t]*#[ \t]*pragma\b(?P<line>.*)$|_Pragma\s*\(\s*\"(?P<operator>[^\"]*)\"\s*\)", re.MULTILINE)


def _pragmas(source: str) -> Iterator[_Pragma]:
    for found in LINE.finditer(source):
        line = source.count("\n", 0, found.start()) + 1
        text = (found["line"] or found["operator"] or "").strip()
        family, _, rest = text.partition(" ")
        if family.upper() == "HLS":
            yield _parse(rest, line, found.start())
        elif family not in OTHER_PRAGMAS:
            yield _Pragma(line, found.start(), problem=f"#pragma {text}: {family!r} is no family of pragmas.")


def _parse(text: str, line: int, position: int) -> _Pragma:
    # Spaces around operators may stand in an option's value: II = a * b is one option. A bracket may end one.
    text = re.sub(r"<[^<>]*>", lambda found: found[0].replace(" ", ""), text)
    tokens = re.sub(r"\s*([=*+/%<?&|,-])\s*|\s+([>)])|(\()\s+", r"\1\2\3", text.strip()).split()
    if not tokens:
        return _Pragma(line, position, problem="#pragma HLS: names no directive.")
    pairs = tuple((name, value) for name, found, value in (token.partition("=") for token in tokens[1:]) if found)
    words = tuple(token for token in tokens[1:] if "=" not in token)
    return _Pragma(line, position, tokens[0].upper(), pairs, words)


def _check(pragma: _Pragma, tool: Tool, scope: _Scope | None) -> list[str]:
    said = f"#pragma HLS {pragma.directive}"
    options = directives(tool).get(pragma.directive)
    if options is None:
        return [f"{said}: {tool} HLS has no such directive."]
    problems = [] if scope else [f"{said}: stands outside a function."]
    by_name = {option.name.lower(): option for option in options}
    given: dict[str, str] = {}
    for key, value in pragma.keys:
        option = by_name.get(key.lower())
        if option is None or option.form == "word":
            known = ", ".join(option.name for option in options if option.form != "word")
            problems.append(f"{said}: has no option {key}=; {tool} HLS knows {known or 'none with a value'}.")
        elif option.name in given:
            problems.append(f"{said}: {option.name} is given twice.")
        else:
            given[option.name] = value
            problems += _check_value(said, option, value, scope)
    for word in pragma.words:
        option = next((option for option in options if option.form != "key" and option.takes(word)), None)
        if option is None:
            known = ", ".join(value for option in options if option.form != "key" for value in option.values)
            problems.append(f"{said}: doesn't know the word {word!r}; {tool} HLS knows {known or 'none'}.")
        elif option.name in given:
            problems.append(f"{said}: {option.name} is given twice.")
        else:
            given[option.name] = word
    return problems + [f"{said}: {option.name} is missing." for option in options if _is_missing(option, given)]


def _is_missing(option: Option, given: Mapping[str, str]) -> bool:
    if option.name in given:
        return False
    if option.condition is None:
        return option.required
    other, values = option.condition
    return given.get(other, "").lower() in values


def _check_value(said: str, option: Option, value: str, scope: _Scope | None) -> Iterator[str]:
    if not value:
        yield f"{said}: {option.name} has no value."
    elif not option.takes(value):
        yield f"{said}: {option.name}={value} is none of {', '.join(option.values)}."
    elif option.values[0] == "<int>" and not re.fullmatch(r"[\w:.()<>+*/%?,&|-]+", value):
        yield f"{said}: {option.name}={value} is no number or constant expression."
    elif scope and option.values[0] in ("<variable>", "<port>"):
        names = scope.parameters if option.values[0] == "<port>" else scope.parameters | scope.variables
        kind = "parameter of" if option.values[0] == "<port>" else "variable or parameter in"
        for one in value.split(","):
            base, member = re.findall(r"^(\w*)(?:::)?(\w*)", one)[0]
            # CONFIG::table is declared in a template parameter, which has to be one of this function.
            known = scope.types if member else names | {"return"}
            if base not in known:
                yield f"{said}: {option.name}={one} names no {kind} {scope.function}()."


# --- C++ as far as needed ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scope:
    """What is declared where a pragma stands."""

    function: str
    parameters: set[str]
    types: set[str]
    variables: set[str]


def active_source(source: str, defined: Collection[str]) -> str:
    """The source without comments and without the branches that are compiled out; lines keep their numbers.

    Decides on #ifdef, #ifndef, defined(NAME) and its negation, 0 and 1; of any other condition all branches stay.
    """
    macros = set(defined)
    kept: list[str] = []
    # Per open #if: is the branch active, was one before it, is the condition one that we can decide.
    stack: list[list[bool]] = []
    for line in _joined_lines(_without_comments(source)):
        text = line.strip()
        found = re.match(r"#\s*(ifdef|ifndef|if|elif|else|endif|define|undef)\b\s*(.*)", text, re.DOTALL)
        active = all(branch for branch, _, _ in stack)
        word, rest = found.groups() if found else ("", "")
        if word in ("if", "ifdef", "ifndef"):
            value = _condition(word, rest, macros)
            stack.append([value is not False, value is True, value is not None])
        elif word in ("elif", "else") and stack:
            branch = stack[-1]
            value = True if word == "else" else _condition("if", rest, macros)
            if branch[2] and value is not None:
                branch[0], branch[1] = value and not branch[1], branch[1] or value
            else:
                branch[0], branch[2] = not branch[1], False
        elif word == "endif" and stack:
            stack.pop()
        elif active:
            if word == "define":
                macros.add(re.findall(r"^\w*", rest)[0])
            elif word == "undef":
                macros.discard(rest.strip())
            kept.append(line)
            continue
        kept.append("\n" * line.count("\n"))
    return "".join(kept)


def _condition(word: str, text: str, macros: Collection[str]) -> bool | None:
    """True or False where the macros decide it, else None."""
    text = text.strip()
    if word in ("ifdef", "ifndef"):
        return (text in macros) == (word == "ifdef")
    if text in ("0", "1"):
        return text == "1"
    found = re.fullmatch(r"(!?)\s*defined\s*(?:\(\s*)?(\w+)\s*\)?", text)
    return (found[2] in macros) == (not found[1]) if found else None


def _without_comments(source: str) -> str:
    """Comments become spaces, line ends stay."""
    pattern = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.DOTALL)
    blank = re.compile(r"[^\n]")
    return pattern.sub(lambda found: blank.sub(" ", found[0]) if found[0].startswith("/") else found[0], source)


def _joined_lines(source: str) -> list[str]:
    """Lines with their ends; one that ends in a backslash comes with the next, the ends behind both."""
    lines: list[str] = []
    open_line = ""
    ends = 0
    for line in source.splitlines(keepends=True):
        text = line.rstrip("\r\n")
        ends += line.endswith("\n")
        if text.rstrip().endswith("\\"):
            open_line += text.rstrip()[:-1] + " "
            continue
        lines.append(open_line + text + "\n" * ends)
        open_line, ends = "", 0
    return [*lines, open_line] if open_line else lines


def _with_included_declarations(source: str, folder: Path) -> str:
    """`#include "file"` within braces becomes what the file declares, in one line and without initial values."""
    code = _blank_preprocessor(source)

    def declarations(found: re.Match) -> str:
        file = folder / found[1]
        if code.count("{", 0, found.start()) <= code.count("}", 0, found.start()) or not file.is_file():
            return found[0]
        text = re.sub(r"^[ \t]*#[^\n]*", "", _without_comments(file.read_text()), flags=re.MULTILINE)
        while (shorter := re.sub(r"\{[^{}]*\}", "", text)) != text:
            text = shorter
        return " ".join(text.split())

    return re.sub(r"^[ \t]*#[ \t]*include[ \t]*\"([^\"\n]+)\".*$", declarations, source, flags=re.MULTILINE)


def _blank_preprocessor(source: str) -> str:
    """Without preprocessor lines and strings, at the same positions."""
    source = re.sub(r"^[ \t]*#[^\n]*", lambda found: " " * len(found[0]), source, flags=re.MULTILINE)
    return re.sub(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", lambda found: " " * len(found[0]), source)


def _scopes(code: str, positions: Collection[int]) -> dict[int, _Scope | None]:
    """The function around each position with what it declares up to there; None outside functions."""
    scopes: dict[int, _Scope | None] = {}
    headers: list[str] = []
    texts = [""]  # what the file and every open block have so far, closed blocks as {}
    before = 0
    for place in sorted({*positions, *(found.start() for found in re.finditer(r"[{}]", code))}):
        texts[-1] += code[before:place]
        before = place
        if place in positions:
            scopes[place] = _scope(headers, texts)
        elif code[place] == "{":
            headers.append(_header(texts[-1]))
            texts.append("")
            before += 1
        elif headers:
            headers.pop()
            texts.pop()
            texts[-1] += "{}"
            before += 1
    return scopes


def _scope(headers: list[str], texts: list[str]) -> _Scope | None:
    inside = next((number for number, header in enumerate(headers) if _is_function(header)), None)
    if inside is None:
        return None
    header = headers[inside]
    open_at = _parameters_at(header)
    # Template parameters of the function and of a class around it.
    return _Scope(
        re.findall(r"(\w*)\s*$", header[:open_at])[0],
        _parameter_names(header[open_at + 1 : _closing(header, open_at)]),
        {name for text in headers[: inside + 1] for name in _template_names(text)},
        {
            name
            for header, text in zip(headers, texts[1:], strict=True)
            if not re.match(r"\s*(namespace|extern)\b", header)  # members of a class around it count
            for name in _declared(text)
        },
    )


def _header(text: str) -> str:
    """What stands before a brace, back to the end of the statement or block before it."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")  # for (a; b; c) has its semicolons inside
        if depth == 0 and text[place] in ";}{":
            return text[place + 1 :]
    return text


def _is_function(header: str) -> bool:
    """Whether a block is a function's body: not that of a type, a namespace, an initialiser or a statement."""
    text = _without_template_head(header).strip()
    if re.match(r"(namespace|class|struct|union|enum|extern\s*$|(\w+\s*:\s*)?(if|for|while|switch|do|else)\b)", text):
        return False
    return "(" in text and not text.endswith("=")


def _without_template_head(header: str) -> str:
    text = header
    while found := re.match(r"\s*template\s*<", text):
        text = text[_closing(text, found.end() - 1) + 1 :]
    return text


def _template_names(header: str) -> set[str]:
    """T and N of template <class T, unsigned N = 4>."""
    names: set[str] = set()
    text = header
    while found := re.match(r"\s*template\s*<", text):
        end = _closing(text, found.end() - 1)
        for part in _flat(text[found.end() : end]).split(","):
            words = re.findall(r"\w+", part.split("=")[0])
            names |= set(words[-1:])
        text = text[end + 1 :]
    return names


def _parameters_at(header: str) -> int:
    """Place of the parenthesis that opens the parameters: the first one outside template arguments."""
    place = len(header) - len(_without_template_head(header))
    while header[place] != "(":
        place = _closing(header, place) + 1 if header[place] == "<" else place + 1
    return place


def _closing(text: str, place: int) -> int:
    """Place of the bracket, of < or (, that closes the one at `place`; the end of the text if none does."""
    angles = parentheses = 0
    for number in range(place, len(text)):
        parentheses += (text[number] == "(") - (text[number] == ")")
        if parentheses == 0:  # (a > b) closes no template
            angles += (text[number] == "<") - (text[number] == ">")
        if angles == parentheses == 0:
            return number
    return len(text)


def _flat(text: str) -> str:
    """Brackets emptied and template arguments gone, so that commas and equal signs left are those of the outside."""
    before = None
    while before != text:
        before = text
        text = re.sub(r"\((?:[^()]|\(\))+\)", "()", text)
        text = re.sub(r"\[[^\[\]]+\]", "[]", text)
        text = re.sub(r"<[^<>;=]*>", "", text)
    return text


def _parameter_names(text: str) -> set[str]:
    text = re.sub(r"\(\s*[&*]\s*(\w+)\s*\)", r" \1 ", text)  # T (&name)[N]
    names = set()
    for part in _flat(text).split(","):
        words = re.findall(r"\w+", part.split("=")[0])
        names |= set(words[-1:]) if len(words) > 1 else set()
    return names


STATEMENTS = frozenset({"return", "using", "typedef", "delete", "throw", "goto", "case", "else", "new"})
DECLARATION = re.compile(
    r"(?:^|[):]\s)\s*(?P<type>[\w:]+[\s&*]+(?:[\w:]+[\s&*]+)*)(?P<name>\w+)\s*(?P<rest>$|[=,\[{].*|\(\).*)", re.DOTALL
)


def _declared(text: str) -> set[str]:
    """Names of the variables that statements declare."""
    names = set()
    for statement in _flat(text).split(";"):
        statement = re.sub(r"^.*\}(?!\s*$)", "", statement.strip(), flags=re.DOTALL).strip()
        found = DECLARATION.search(statement)
        if found and not STATEMENTS & set(re.findall(r"\w+", found["type"])):
            names |= {found["name"], *re.findall(r",\s*[&*]*\s*(\w+)", found["rest"])}
    return names
