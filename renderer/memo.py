"""Remembers how Kometa expanded a template, and gives the same expansion again where everything it depends on is the same.

An expansion (``DataFile.apply_template``) is a function of Kometa's version, the templates called, the call, the variables of the
definition, the file and the template, the data type, the library and (where any of these mentions it) the date; beside its result
it changes the call's own mapping. Both are kept and given back. What a child learns goes to the parent with its report, as JSON, so
that the next children have it from the start; the parent keeps it in a file for the next worker.

Kept is only what can be given back exactly: results of plain mappings, lists and scalars, from expansions during which Kometa
warned of nothing. Where a result holds a mapping or list that went in (Kometa may change it later, for all who hold it), it
is given back with that very object again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

MOST = 64 * 1024 * 1024
"""Bytes of expansions kept in the parent; those not used for longest go."""
REFERENCE = "\x00given"
"""Key of a mapping that stands for an object that went in."""
AT_ONCE = 200
"""Expansions told in one message."""


class Unfit(Exception):
    """This cannot be remembered."""


class Memo:
    """The parent's, and by fork each child's. The key is a hash of what an expansion depends on; the value is JSON."""

    def __init__(self, version: str = "", most: int = MOST) -> None:
        self._version = version
        self._most = most
        self._unsaved = False
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._size = 0
        self._new: dict[str, str] = {}
        self._used: list[str] = []
        self._plain: dict[int, tuple[list[Any], str, bool]] = {}
        self._digests: dict[int, tuple[Any, str, bool]] = {}
        self._ear = _Ear()

    def __len__(self) -> int:
        return len(self._kept)

    # ── in the parent ────────────────────────────────────────────────────────────────────────────────────

    def learn(self, entries: object, used: object) -> None:
        """Take in what a child tells. Anything malformed is left out."""
        if isinstance(entries, dict):
            for key, value in entries.items():
                if isinstance(key, str) and isinstance(value, str):
                    self._put(key, value)
                    self._unsaved = True
        for key in used if isinstance(used, list) else ():
            if key in self._kept:
                self._kept.move_to_end(key)

    def look(self, data: Any) -> None:
        """Work out the hashes of a file's templates ahead: children get these very objects by fork."""
        templates = data.get("templates")
        for template in templates.values() if isinstance(templates, dict) else ():
            self._digest(template)

    def overlook(self, data: Any) -> None:
        """Forget about ``data``, which nobody will be given any more."""
        templates = data.get("templates")
        for template in templates.values() if isinstance(templates, dict) else ():
            self._digests.pop(id(template), None)

    def load(self, path: Path) -> None:
        """What an earlier worker kept in ``path``; a file that is not there, or damaged, holds nothing."""
        try:
            check, _, text = path.read_bytes().partition(b"\n")
            kept = json.loads(text) if check.decode() == hashlib.sha256(text).hexdigest() else None
        except (OSError, ValueError):
            return
        self.learn(kept, [])
        self._unsaved = False

    def save(self, path: Path) -> bool:
        """Keep what was learnt since the last time; whether there was anything. A disk that does not take it costs only time."""
        if not self._unsaved:
            return False
        self._unsaved = False
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            text = json.dumps(self._kept).encode()
            beside.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
            os.replace(beside, path)  # noqa: PTH105  # Path.replace is the same; the name says that it is atomic
        except OSError:
            beside.unlink(missing_ok=True)
        return True

    def _put(self, key: str, value: str) -> None:
        before = self._kept.pop(key, "")
        self._kept[key] = value
        self._size += len(value) - len(before)
        while self._size > self._most:
            _, old = self._kept.popitem(last=False)
            self._size -= len(old)

    # ── in a child ───────────────────────────────────────────────────────────────────────────────────────

    def news(self) -> Iterator[dict[str, Any]]:
        """What this child learnt and used, as messages for the parent."""
        keys = list(self._new)
        for start in range(0, max(1, len(keys)), AT_ONCE):
            yield {"entries": {key: self._new[key] for key in keys[start : start + AT_ONCE]}, "used": self._used if not start else []}

    def remembering(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """``apply_template`` with a memory."""

        def apply_template(owner: Any, call_name: Any, mapping_name: Any, data: Any, template_call: Any, extra_variables: Any) -> Any:
            try:
                calls = sys.modules["modules.util"].get_list(template_call, split=False)
                key = self._key(owner, call_name, mapping_name, data, calls, extra_variables)
            except Exception:  # noqa: BLE001  # whatever is odd about this call: Kometa itself will meet it, and say so
                return original(owner, call_name, mapping_name, data, template_call, extra_variables)
            known = self._kept.get(key)
            if known is not None:
                self._used.append(key)
                result, added = json.loads(known)
                result = _with(result, _given(owner, calls, extra_variables))
                for call, new in zip(calls, added, strict=True):
                    for name in [name for name, value in call.items() if value is None]:
                        call.pop(name)
                    call.update(new)
                    for name, value in today().items():
                        if name in new:
                            call[name] = value
                return result
            before = [dict(call) for call in calls]
            heard = self._ear.listen()
            result = original(owner, call_name, mapping_name, data, template_call, extra_variables)
            if self._ear.count == heard:
                self._remember(key, result, before, calls, _given(owner, calls, extra_variables))
            return result

        return apply_template

    def _key(self, owner: Any, call_name: Any, mapping_name: Any, data: Any, calls: list[Any], extra: Any) -> str:
        out: list[str] = [self._version]
        library = owner.library
        about = [owner.data_type, call_name, mapping_name, sorted(map(str, data)), calls, extra, owner.temp_vars]
        about += [library.type, library.name] if library else [None]
        canon(about, out)
        dated = False
        for call in calls:
            template, variables = owner.templates[call["name"]]
            dated |= self._external(variables, out)
            digest, mentions = self._digest(template)
            out.append(digest)
            dated = dated or mentions
        if dated or _mentions_date(out):
            out.append(repr(today()))
        return _hash(out)

    def _external(self, variables: Any, out: list[str]) -> bool:
        """As ``canon`` of a template file's variables; and whether they mention the date.

        They are the same mapping for all definitions of a file. What is plain in it is only looked at again where one of its objects
        is another; lists and mappings, which somebody may have changed since, always are.
        """
        items = list(dict.items(variables)) if isinstance(variables, dict) else [("", variables)]
        firm = [item if not isinstance(item[1], (dict, list)) else (item[0], None) for item in items]
        known = self._plain.get(id(variables))
        same = known is not None and len(known[0]) == len(firm)
        if known is None or not same or any(a is not c or b is not d for (a, b), (c, d) in zip(known[0], firm, strict=True)):
            texts: list[str] = []
            canon(firm, texts)
            known = self._plain[id(variables)] = (firm, _hash(texts), _mentions_date(texts))
        out.append(known[1])
        for key, value in items:
            if isinstance(value, (dict, list)):
                canon([key, value], out)
        return known[2]

    def _digest(self, template: Any) -> tuple[str, bool]:
        """A template's hash and whether it mentions the date, worked out once: Kometa does not change templates after it loaded them."""
        known = self._digests.get(id(template))
        if known is None or known[0] is not template:
            out: list[str] = []
            canon(template, out)
            known = self._digests[id(template)] = (template, _hash(out), _mentions_date(out))
        return known[1], known[2]

    def _remember(self, key: str, result: Any, before: list[dict[Any, Any]], calls: list[Any], given: list[Any]) -> None:
        try:
            places = {id(one): path for one, path in _containers(given, [])}
            added = [{k: v for k, v in call.items() if k not in old or old[k] is not v} for old, call in zip(before, calls, strict=True)]
            value = json.dumps([plain(result, places), plain(added, {})], ensure_ascii=False, allow_nan=False)
        except (Unfit, ValueError):
            return
        self._kept[key] = self._new[key] = value


def today() -> dict[str, int]:
    """The variables in which Kometa gives the local date to templates."""
    now = date.today()  # noqa: DTZ011  # Kometa's own clock: it takes the local date
    return {"current_year": now.year, "current_month": now.month, "current_day": now.day}


def _mentions_date(texts: list[str]) -> bool:
    return any("current_" in text for text in texts)


def _hash(texts: list[str]) -> str:
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


class _Ear(logging.Handler):
    """Counts what Kometa warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def listen(self) -> int:
        """Sees to it that warnings are heard; how many were so far."""
        logger = getattr(getattr(sys.modules["modules.util"], "logger", None), "_logger", None)
        if logger is None:
            raise RuntimeError("Kometa has no logger")
        if self not in logger.handlers:
            logger.addHandler(self)
        return self.count

    def emit(self, _record: logging.LogRecord) -> None:
        """One more."""
        self.count += 1


def canon(value: Any, out: list[str]) -> None:
    """Appends texts that are equal only for equal values: type, and content in its order. Unfit for what is no YAML."""
    if isinstance(value, dict):
        out.append(f"{{{dict.__len__(value)}")
        for key, inner in dict.items(value):  # a YAML mapping's own iterator is ten times slower
            for part in (key, inner):
                if type(part) is str:
                    out.append(f"s{len(part)}:{part}")
                else:
                    canon(part, out)
    elif isinstance(value, list):
        out.append(f"[{list.__len__(value)}")
        for part in list.__iter__(value):
            if type(part) is str:
                out.append(f"s{len(part)}:{part}")
            else:
                canon(part, out)
    elif isinstance(value, tuple):
        canon(list(value), out)
    elif isinstance(value, str):
        out.append(f"s{len(value)}:{value}")
    elif value is None or isinstance(value, (bool, int, float)):
        out.append(f"{type(value).__name__}:{value!r}")
    elif isinstance(value, (date, datetime)):
        out.append(f"d{value.isoformat()}")
    else:
        raise Unfit(f"a {type(value).__name__}")


def plain(value: Any, places: dict[int, list[Any]]) -> Any:
    """``value`` for JSON: text and numbers of YAML's own kinds as plain ones, what went in by its place. Unfit for anything else."""
    kind = type(value)
    if value is None or kind in (str, bool, int, float):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if kind.__name__ == "ScalarInt":
        return int(value)
    if id(value) in places:
        return {REFERENCE: places[id(value)]}
    if kind is dict:
        if not all(isinstance(key, str) and key != REFERENCE for key in value):
            raise Unfit("a key that is no text")
        return {str.__str__(key): plain(inner, places) for key, inner in value.items()}
    if kind is list:
        return [plain(inner, places) for inner in value]
    raise Unfit(f"a {kind.__name__}")


def _with(value: Any, given: list[Any]) -> Any:
    """What ``plain`` made of a result, with the objects that went in in their places."""
    if isinstance(value, dict):
        if REFERENCE in value:
            found: Any = given
            for step in value[REFERENCE]:
                found = found[step]
            return found
        return {key: _with(inner, given) for key, inner in value.items()}
    return [_with(inner, given) for inner in value] if isinstance(value, list) else value


def _given(owner: Any, calls: list[Any], extra: Any) -> list[Any]:
    """All that an expansion may take a mapping or list from."""
    return [list(calls), extra, owner.temp_vars, [list(owner.templates[call["name"]]) for call in calls]]


def _containers(value: Any, path: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Every mapping and list in ``value``, and the way to it."""
    if isinstance(value, (dict, list)):
        yield value, path
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, (str, int)) and not isinstance(key, bool):
                yield from _containers(inner, [*path, key])
