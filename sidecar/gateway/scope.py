"""Cuts Plex's XML to what a grant may see. Pure: XML bytes in, XML bytes out.

Attributes keep their order and elements their shape; only elements of other items go, and the counts that speak of them.
A listing is asked upstream as Kometa asked it (an added filter could change what ``limit`` keeps), page after page, and
Kometa's own paging is applied to what is left: ``Source`` is the seam where an answer may come from elsewhere instead.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring
from xml.parsers.expat import ExpatError, ParserCreate

from defusedxml.common import DefusedXmlException, DTDForbidden

from sidecar.gateway.policy import View
from sidecar.gateway.sound import Tags
from sidecar.model import Scope

EMPTY: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0">\n</MediaContainer>\n'
"""An answer of nothing that every reader of Plex's XML takes. (``{}`` would be a parse error for Kometa.)"""

PAGE: Final = 500
"""Items per page asked upstream for a listing."""
PAGES: Final = 4_000
"""Pages of one listing at most: two million items."""

_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_TOP_LEVEL: Final = frozenset({"movie", "show", "artist"})
_BY_CHILD: Final = frozenset({View.SECTIONS, View.PREFS})
"""Views whose children are told by something else than a rating key."""
_PRIVATE_SETTING: Final = re.compile(r"token|secret|password|passwd|mail|username|certificate|allowedNetworks", re.IGNORECASE)
_PRIVATE_ATTRIBUTES: Final = ("myPlexUsername", "authToken", "token", "accessToken")


_PLAIN_HEAD: Final = re.compile(rb'(<\?xml version="1\.0" encoding="(utf|UTF)-8" ?\?>\s*)?<MediaContainer[\s/>]')
_NUMBER: Final = re.compile(rb'="([0-9]{1,18})"')

_UNSOUND: Final = (ParseError, ExpatError, DefusedXmlException, ValueError, LookupError)


class Garbled(Exception):
    """Plex (or what stands in its place) sent what is not a MediaContainer. The message is for people."""


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a listing that Kometa asked for. ``size`` None: all of it."""

    start: int = 0
    size: int | None = None


Source = Callable[[int, int], Awaitable[bytes]]
"""Gives the XML of a listing from item ``start``, at most ``size`` items."""


def _garbled(error: Exception) -> Garbled:
    return Garbled(f"Plex's answer is not the XML that was expected ({type(error).__name__})")


def parse(data: bytes) -> Element:
    """The MediaContainer in ``data``. Garbled where there is none; entities and DTDs are never expanded."""
    try:
        _forbid_dtd(data)
        root = fromstring(data)  # noqa: S314 what is dangerous about it was looked for just now
    except _UNSOUND as error:
        raise _garbled(error) from error
    if root.tag != "MediaContainer":
        raise Garbled("Plex's answer is XML, but no MediaContainer")
    return root


def _needs_no_cut(data: bytes, scope: Scope, tags: Tags | None) -> bool:
    """Whether nothing in ``data`` is hidden from ``scope``, found out in one pass without building a tree. Garbled as ``parse``."""
    if _plainly_clean(data, scope):
        if tags is not None and tags.sound(data):
            return True
        try:
            _forbid_dtd(data)
        except _UNSOUND as error:
            raise _garbled(error) from error
        return True
    seen = 0
    clean = True

    def element(name: str, attributes: dict[str, str]) -> None:
        nonlocal seen, clean
        if not seen:
            clean = name == "MediaContainer" and not any(private in attributes for private in _PRIVATE_ATTRIBUTES)
            clean = clean and _inside(scope, attributes)
        elif "ratingKey" in attributes:
            clean = clean and _sees(scope, attributes)
        seen += 1

    try:
        _forbid_dtd(data, element)
    except _UNSOUND as error:
        raise _garbled(error) from error
    return clean


def _plainly_clean(data: bytes, scope: Scope) -> bool:
    """Whether the bytes alone show that ``_needs_no_cut`` would say yes, were ``data`` sound; in doubt not.

    In sound XML of this encoding an attribute's name stands as it is, so no key, library or token is overlooked; words in
    texts that look like one only cast doubt. Half the time of being told of every element: this is most of what is read.
    """
    if not _PLAIN_HEAD.match(data) or b"oken" in data or b"myPlexUsername" in data:
        return False
    return _all_in(scope.visible, data, b"ratingKey") and _all_in(scope.sections, data, b"librarySectionID")


def _all_in(wanted: frozenset[int], data: bytes, name: bytes) -> bool:
    """Whether ``name``, wherever it stands in ``data``, is an attribute's with a number in ``wanted``."""
    at = data.find(name)
    while at >= 0:
        number = _NUMBER.match(data, at + len(name))
        if number is None or int(number[1]) not in wanted:
            return False
        at = data.find(name, number.end())
    return True


def _forbid_dtd(data: bytes, element: Callable[[str, dict[str, str]], None] | None = None) -> None:
    """DTDForbidden where ``data`` declares a document type; without one there are no entities either. ``element`` is told of each.

    As defusedxml does it, in a pass of its own: its parser builds the tree in Python, which takes ten times as long as
    expat and ElementTree's accelerator together. Both passes are the same expat on the same bytes.
    """

    def doctype(name: str, system: str | None, public: str | None, _internal: int) -> None:
        raise DTDForbidden(name, system, public)

    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    if element is not None:
        parser.StartElementHandler = element
    parser.Parse(data, True)


def render(root: Element) -> bytes:
    """The element as Plex writes it: declaration, UTF-8. Garbled where it is nested deeper than anybody could write it."""
    try:
        return _HEAD + bytes(tostring(root, encoding="unicode"), "utf-8") + b"\n"
    except RecursionError as error:
        raise _garbled(error) from error


def cut(data: bytes, view: View, scope: Scope, tags: Tags | None = None) -> bytes:
    """A single answer (no listing) cut to ``scope``; as it came where nothing is to be cut. Garbled where it is not Plex's XML.

    ``tags``: those that were met before; they only make it quicker.
    """
    if view not in _BY_CHILD and _needs_no_cut(data, scope, tags):
        return data
    root = parse(data)
    private = [name for name in _PRIVATE_ATTRIBUTES if name in root.attrib]
    for name in private:
        del root.attrib[name]
    changed = bool(private)
    match view:
        case View.SECTIONS:
            changed |= _keep(root, lambda child: child.tag != "Directory" or _number(child.get("key")) in scope.sections)
        case View.PREFS:
            changed |= _keep(root, lambda child: not _PRIVATE_SETTING.search(child.get("id", "")))
        case _:
            changed |= _drop_unseen(root, scope)
    return render(root) if changed else data


async def cut_listing(source: Source, scope: Scope, page: Page, *, subtree: bool = False) -> bytes:
    """A listing cut to the targets (``subtree``: to everything visible), and the page of it that was asked for.

    ``totalSize`` is what is left of the whole listing, so that paging readers ask for what there is. Garbled as ``cut``.
    """
    if page.size == 0:
        head = parse(await source(0, 0))
        total = _number(head.get("totalSize"))
        unpaged = total is None and any(_is_item(child) for child in head)
        _keep(head, lambda child: not _is_item(child))
        if not total and not unpaged:
            return render(_sized(head, size=0, total=0, start=page.start))
        if not unpaged and head.find("Meta") is not None:
            # Asked for what can be filtered, not for items: counting them would read the whole library for nothing.
            head.attrib.pop("totalSize", None)
            head.set("size", "0")
            return render(head)
    first: Element | None = None
    kept: list[Element] = []
    start = 0
    for _ in range(PAGES):
        root = parse(await source(start, PAGE))
        rows = [child for child in root if child.tag != "Meta"]  # counted is also what is no item: "All episodes" of a show
        kept += [child for child in rows if _is_item(child) and _listed(child, scope, subtree=subtree)]
        total = _number(root.get("totalSize"))
        if first is None:
            first = root
        start += min(len(rows), PAGE)
        if not rows or total is None or start >= total:  # no totalSize: this server does not page this listing
            break
    else:
        raise Garbled("a listing of Plex does not come to its end")
    _keep(first, lambda child: not _is_item(child))
    end = None if page.size is None else page.start + page.size
    shown = kept[page.start : end]
    for child in shown:
        _drop_unseen(child, scope)
    first.extend(shown)
    return render(_sized(first, size=len(shown), total=len(kept), start=page.start))


def _listed(item: Element, scope: Scope, *, subtree: bool) -> bool:
    """Whether a listing shows ``item``: targets at their own level; movies, shows and artists that targets need; collections."""
    kind = item.get("type", "")
    if kind == "collection":
        return _inside(scope, item.attrib)
    key = _number(item.get("ratingKey"))
    if key is None:
        return item.get("ratingKey") is not None
    return key in (scope.visible if subtree else listed_keys(scope, kind))


def listed_keys(scope: Scope, level: str) -> frozenset[int]:
    """Rating keys that listings of a level show, whether they are of that level or not."""
    return scope.visible if level in _TOP_LEVEL else scope.targets


def _is_item(element: Element) -> bool:
    return element.get("ratingKey") is not None


def _drop_unseen(root: Element, scope: Scope) -> bool:
    """Takes every item below ``root`` that is not visible away (related, on deck, children), and mends ``size``; whether there was one."""
    around = {"librarySectionID": root.get("librarySectionID", "")}  # what a collection that does not say so itself is in
    unseen = {
        child for child in root.iter() if "ratingKey" in child.attrib and not _sees(scope, {**around, **child.attrib}) and child is not root
    }
    if not unseen:
        return False
    for element in list(root.iter()):
        gone = [child for child in element if child in unseen]
        for child in gone:
            element.remove(child)
        if gone:
            for name in ("size", "totalSize"):
                count = _number(element.get(name))
                if count is not None:
                    element.set(name, str(max(0, count - len(gone))))
    return True


def _sees(scope: Scope, item: Mapping[str, str]) -> bool:
    """Whether ``scope`` shows an item with these attributes: what is visible, and collections of its libraries."""
    if item.get("type") == "collection":
        return _inside(scope, item)
    key = _number(item["ratingKey"])
    return key is None or key in scope.visible


def _inside(scope: Scope, attributes: Mapping[str, str]) -> bool:
    """Whether nothing says that this belongs to a library out of scope: collections are asked for by number alone."""
    section = _number(attributes.get("librarySectionID"))
    return section is None or section in scope.sections


def _keep(root: Element, wanted: Callable[[Element], bool]) -> bool:
    unwanted = [child for child in root if not wanted(child)]
    for child in unwanted:
        root.remove(child)
    if unwanted and root.get("size") is not None:
        root.set("size", str(len(root)))
    return bool(unwanted)


def _sized(root: Element, *, size: int, total: int, start: int) -> Element:
    root.set("size", str(size))
    root.set("totalSize", str(total))
    root.set("offset", str(start))
    return root


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None
