"""YAML as people write it, with the line of every key: the one place that knows ruamel.yaml.

Loading is bounded in bytes, depth and alias expansion, and every fault is a :class:`Problem` with file, line and what to
do. The same parser and the same YAML 1.2 rules as Kometa's, so that a file means here what it means there.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSet, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt
from ruamel.yaml.scalarstring import ScalarString

from sidecar.errors import ConfigError
from sidecar.model import Problem, Severity

Where = tuple[str | int, ...]
"""Path of a node: mapping keys (as text) and sequence indexes from the root."""


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """What a file may cost before it is refused."""

    size: int = 2 * 1024 * 1024
    """Bytes. Parsing takes about 10 s per MiB."""
    depth: int = 60
    """Levels of nesting."""
    nodes: int = 500_000
    """Nodes once every alias is expanded: ten lines of nested aliases can stand for billions."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where one scalar stands in the text."""

    where: Where
    value: str
    start: int
    end: int
    """Characters from the start of the text; ``text[start:end]`` is the scalar with its quotes."""
    style: str
    """``''`` plain, ``'`` or ``"`` quoted, ``|`` or ``>`` block."""
    key: bool = False
    """The scalar is a mapping's key."""


@dataclass(frozen=True, eq=False)
class Document:
    """One parsed file."""

    name: str
    """The file as its owner knows it, for problems."""
    text: str
    """Decoded, without a byte order mark; line ends as they came."""
    data: Any
    """Plain dicts, lists and scalars. Aliases are the same object twice, as in Kometa."""
    sha256: str
    """Of the bytes as read."""
    raw: bytes = field(repr=False)
    _node: Node | None = field(repr=False)

    @property
    def empty(self) -> bool:
        return self.data is None

    def line(self, *where: str | int) -> int | None:
        """Line of the node at ``where``, counted from 1; of its nearest known ancestor where it has none of its own."""
        line: int | None = None
        node = self._node
        for step in where:
            found = _step(node, step)
            if found is None:
                break
            mark, node = found
            line = mark.start_mark.line + 1
        return line

    def problem(self, severity: Severity, what: str, *where: str | int, mend: str = "", source: str = "config") -> Problem:
        """A problem with the node at ``where``."""
        return Problem(severity=severity, what=what, mend=mend, file=self.name, line=self.line(*where), source=source)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Every scalar of the text, in order."""
        return tuple(_spans(self._node, (), set())) if self._node is not None else ()

    def edited(self, change: Callable[[Span], str | None]) -> str:
        """The text with the scalars for which ``change`` gives a new value replaced, all else byte for byte."""
        parts, at = [], 0
        for span in sorted(self.spans, key=lambda span: span.start):
            new = change(span)
            if new is None or new == span.value or span.start < at:
                continue
            parts += [self.text[at : span.start], _scalar(new, span)]
            at = span.end
        return "".join([*parts, self.text[at:]])


def parse(raw: bytes, name: str, *, limits: YamlLimits | None = None, source: str = "config") -> Document:
    """Parse a file's bytes. ConfigError with one problem, at its line, where they are no usable YAML."""
    limits = limits or YamlLimits()

    def refuse(what: str, mend: str, line: int | None = None) -> ConfigError:
        return ConfigError([Problem(severity=Severity.ERROR, what=what, mend=mend, file=name, line=line, source=source)])

    if len(raw) > limits.size:
        raise refuse(f"the file has {len(raw):,} bytes; at most {limits.size:,} are read", "Split it, or check that it is the right file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = raw[: error.start].count(b"\n") + 1
        raise refuse(f"byte {error.start} is not UTF-8", "Save the file as UTF-8; Kometa reads nothing else.", at) from error
    if _open_brackets(text) > 4 * limits.depth:  # the parser's time grows with their square
        raise refuse("it is nested too deep to be read", "Check for unclosed brackets or braces.")
    try:
        root, node = _load(text)
    except RecursionError as error:
        raise refuse("it is nested too deep to be read", "Check for unclosed brackets or braces.") from error
    except YAMLError as error:
        what, mend, line = _explain(error, text)
        raise refuse(what, mend, line) from error
    except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
        # ruamel lets these through for odd tags, dates such as 2020-13-45 and unhashable keys
        raise refuse(f"a value cannot be read: {error}", "Quote the value.") from error
    fault = _too_much(root, limits)
    if fault:
        raise refuse(*fault)
    return Document(name=name, text=text, data=_plain(root, {}), sha256=hashlib.sha256(raw).hexdigest(), raw=raw, _node=node)


def _open_brackets(text: str) -> int:
    """The most brackets that are open at once, those in quotes counted too."""
    depth = most = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket.group() in "[{" else max(0, depth - 1)
        most = max(most, depth)
    return most


_BRACKET: Final = re.compile(r"[\[\]{}]")


class _NodeKeeper(RoundTripConstructor):
    """Kometa's kind of constructor, that also keeps the nodes for their places in the text."""

    node: Node | None = None

    def construct_document(self, node: Any) -> Any:
        self.node = node
        # constructing takes merge keys (<<) out of the nodes: put back what was there
        mappings = {id(each): (each, list(each.value)) for each in _mappings(node, set())}
        data = super().construct_document(node)
        for each, value in mappings.values():
            each.value = value
        return data


def _mappings(node: Node, seen: set[int]) -> Iterator[MappingNode]:
    if id(node) in seen or isinstance(node, ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, MappingNode):
        yield node
        for key, value in node.value:
            yield from _mappings(key, seen)
            yield from _mappings(value, seen)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)


def _load(text: str) -> tuple[Any, Node | None]:
    yaml = YAML(typ="rt", pure=True)
    yaml.Constructor = _NodeKeeper
    root = yaml.load(io.StringIO(text))
    constructor: Any = yaml.constructor
    return root, constructor.node


def load_text(text: str) -> Any:
    """Plain data of a short YAML text (an environment variable's, say). ValueError, in words, where it is none."""
    try:
        return parse(text.encode(), "").data
    except ConfigError as error:
        raise ValueError(error.problems[0].what) from error


def dump(data: Mapping[str, Any]) -> str:
    """Plain data as YAML text that Kometa reads back the same; an object that occurs twice becomes an alias."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 1_000_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel infers the type from its None
    out = io.StringIO()
    yaml.dump(dict(data), out)
    return out.getvalue()


def scalars(data: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every scalar of plain data with its path, in order, aliases expanded."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from scalars(value, (*where, str(key)))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from scalars(value, (*where, index))
    else:
        yield where, data


def nearest(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'x'?`` for the known word nearest to ``word``, else an empty string."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"Did you mean '{found[0]}'?" if found else ""


_MENDS: Final = (
    (r"found character '\\t'", "a tab is used for indentation", "Replace tabs by spaces; YAML allows only spaces there."),
    (r"mapping values are not allowed", "there is a second ':' in a value", "Quote the value, or give the key a line of its own."),
    (r"could not find expected ':'", "a key without ':' (or a line indented wrongly)", "Add ': ' after the key; check the indentation."),
    (r"found undefined alias", "an alias (*name) without its anchor (&name)", "Define the anchor first; quote a value that begins with *."),
    (r"expected <block end>", "the indentation does not match the lines above", "Indent this line like its siblings."),
    (r"another document", "a second document starts here", "Remove the '---' line; Kometa reads one document per file."),
    (r"found unexpected end of stream", "a quote is opened and never closed", "Close the quote."),
    (r"expected ',' or '[\]}]'", "a bracket or brace is opened and never closed", "Close it, or quote the value."),
    (r"cannot start any token", "a value starts with a character that YAML keeps for itself", "Quote the value."),
)


_OPENED: Final = r"could not find expected ':'|unexpected end of stream|expected ',' or"
"""Faults that are where something was begun, not where the parser noticed."""


def _explain(error: YAMLError, text: str) -> tuple[str, str, int | None]:
    if isinstance(error, ReaderError):
        return f"a control character (code {error.character!r}) is in the text", "Remove it.", text.count("\n", 0, error.position) + 1
    if not isinstance(error, MarkedYAMLError):
        return str(error).strip().splitlines()[0], "Correct the YAML.", None
    mark = error.problem_mark or error.context_mark
    problem = (error.problem or error.context or "it is not valid YAML").strip()
    if re.search(_OPENED, problem) and error.context_mark is not None:
        mark = error.context_mark
    line = mark.line + 1 if mark is not None else None
    if isinstance(error, DuplicateKeyError):
        key = re.search(r'duplicate key "(.*?)"', problem, re.DOTALL)
        first = error.context_mark.line + 1 if error.context_mark is not None else None
        what = f"the key '{key.group(1)}' is there twice" if key else "a key is there twice"
        return what, f"Keep one of the two{f' (the mapping starts at line {first})' if first else ''}.", line
    for pattern, what, mend in _MENDS:
        if re.search(pattern, problem):
            return what, mend, line
    return problem.splitlines()[0], "Correct the YAML at this line or just above it.", line


def _too_much(root: Any, limits: YamlLimits) -> tuple[str, str] | None:
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def count(node: Any, depth: int) -> int:
        if not isinstance(node, (Mapping, list)):
            return 1
        if depth > limits.depth:
            raise _Excess(f"it is nested more than {limits.depth} levels deep", "Check the indentation, or unclosed brackets.")
        if id(node) in open_:
            raise _Excess("an anchor contains its own alias", "Remove the alias: the value would never end.")
        if id(node) not in sizes:
            open_.add(id(node))
            values = node.values() if isinstance(node, Mapping) else node
            sizes[id(node)] = 1 + sum(count(value, depth + 1) for value in values)
            open_.discard(id(node))
        if sizes[id(node)] > limits.nodes:
            raise _Excess(f"its aliases expand to more than {limits.nodes:,} values", "Use fewer nested aliases.")
        return sizes[id(node)]

    try:
        count(root, 1)
    except _Excess as excess:
        return excess.what, excess.mend
    return None


class _Excess(Exception):
    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what, self.mend = what, mend


def _plain(node: Any, seen: dict[int, Any]) -> Any:
    if id(node) in seen:
        return seen[id(node)]
    if isinstance(node, CommentedSet):
        return [_plain(value, seen) for value in node]
    if isinstance(node, Mapping):
        mapping: dict[Any, Any] = {}
        seen[id(node)] = mapping
        mapping.update((_key(key), _plain(value, seen)) for key, value in node.items())
        return mapping
    if isinstance(node, list):
        items: list[Any] = []
        seen[id(node)] = items
        items.extend(_plain(value, seen) for value in node)
        return items
    if isinstance(node, TaggedScalar):
        return None if node.value is None else str(node.value)
    for kind, plain in ((ScalarBoolean, bool), (ScalarString, str), (ScalarFloat, float), (ScalarInt, int)):
        if isinstance(node, kind):
            return plain(node)
    return node


def _key(key: Any) -> Any:
    plain = _plain(key, {})
    return str(plain) if isinstance(plain, (tuple, list, dict)) else plain


def _step(node: Node | None, step: str | int) -> tuple[Node, Node] | None:
    """The node whose place counts as the child's (a mapping's key, a sequence's item), and the child."""
    if isinstance(node, SequenceNode):
        return (node.value[step], node.value[step]) if isinstance(step, int) and 0 <= step < len(node.value) else None
    if not isinstance(node, MappingNode):
        return None
    merged: list[Node] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode) and str(key.value) == str(step):
            return key, value
        if isinstance(key, ScalarNode) and key.value == "<<":
            merged += value.value if isinstance(value, SequenceNode) else [value]
    return next((found for other in merged if (found := _step(other, step)) is not None), None)


def _spans(node: Node, where: Where, seen: set[int]) -> Iterator[Span]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        yield _span(node, where)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _spans(value, (*where, index), seen)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            name = str(key.value)
            if isinstance(key, ScalarNode):
                yield _span(key, (*where, name), key=True)
            yield from _spans(value, (*where, name), seen)


def _span(node: ScalarNode, where: Where, *, key: bool = False) -> Span:
    style = node.style or ""
    return Span(where, str(node.value), node.start_mark.index, node.end_mark.index, style, key)


def _scalar(value: str, span: Span) -> str:
    if span.style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    quoted = json.dumps(value, ensure_ascii=False)
    return f"{quoted}\n" if span.style in ("|", ">") else quoted
