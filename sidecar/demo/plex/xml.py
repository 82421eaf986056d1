"""Plex's XML, written as a server writes it: attributes only, one element a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from sidecar.demo.items import TAG_FIELDS, Item, Library
from sidecar.demo.media import MediaFile
from sidecar.demo.world import World

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_ESCAPED = re.compile(r'[&<>"\n\r\t]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Attributes = Mapping[str, object]


def element(tag: str, attributes: Attributes, children: Iterable[str] = ()) -> str:
    """One element; attributes that are None or empty are left out, as Plex does."""
    parts = []
    for name, value in attributes.items():
        if value is None or value == "":
            continue
        text = f"{value:g}" if isinstance(value, float) else str(int(value)) if isinstance(value, bool) else str(value)
        parts.append(f' {name}="{_ESCAPED.sub(lambda match: _ESCAPES[match.group()], _FORBIDDEN.sub("", text))}"')
    inside = "\n".join(children)
    return f"<{tag}{''.join(parts)}>\n{inside}\n</{tag}>" if inside else f"<{tag}{''.join(parts)}/>"


def container(attributes: Attributes, children: Iterable[str] = ()) -> str:
    """A whole answer; ``size`` is counted."""
    children = list(children)
    return HEAD + element("MediaContainer", {"size": len(children), **attributes}, children) + "\n"


IDENTIFIER = {
    "allowSync": 1,
    "identifier": "com.plexapp.plugins.library",
    "mediaTagPrefix": "/system/bundle/media/flags/",
    "mediaTagVersion": 1734362201,
}


def section_attributes(library: Library) -> dict[str, object]:
    """Of every container that lists a library's items."""
    return {
        **IDENTIFIER,
        "librarySectionID": library.key,
        "librarySectionTitle": library.title,
        "librarySectionUUID": library.uuid,
    }


def describe(
    world: World, item: Item, *, full: bool = False, guids: bool = False, without: frozenset[str] = frozenset(), files: bool = False
) -> str:
    """A metadata element. ``full`` is how /library/metadata/RK answers; listings are shorter.

    ``without`` are elements and attributes that the client does not want (excludeElements, excludeFields); ``files`` adds
    whether the files are there (checkFiles).
    """
    tag = {"movie": "Video", "episode": "Video", "track": "Track"}.get(item.type, "Directory")
    attributes = _attributes(world, item, full)
    for name in without & attributes.keys():
        del attributes[name]
    children = [_media(world, media, item, full, files) for media in item.media] if "Media" not in without else []
    children += [
        element("Image", {"alt": item.title, "type": "snapshot" if item.type == "episode" else "coverPoster", "url": thumb(item)}),
        *(
            [element("Image", {"alt": item.title, "type": "background", "url": art(item)})]
            if item.type in ("movie", "show", "artist")
            else ()
        ),
    ]
    children += _tags(world, item, full, without)
    if (full or guids) and "Guid" not in without:
        children += [element("Guid", {"id": guid}) for guid in item.guids]
    if full:
        if "Rating" not in without:
            children += [element("Rating", {"image": rating.image, "value": rating.value, "type": rating.type}) for rating in item.ratings]
        children += [element("Location", {"path": path}) for path in item.locations]
        children += [element("Field", {"locked": 1, "name": name}) for name in sorted(item.locked)]
    return element(tag, attributes, children)


def thumb(item: Item, kind: str = "thumb") -> str:
    """Path of the selected poster; it changes whenever the item does."""
    return f"/library/metadata/{item.rating_key}/{kind}/{item.updated_at}"


def art(item: Item) -> str:
    return thumb(item, "art")


def _attributes(world: World, item: Item, full: bool) -> dict[str, object]:
    library = world.libraries[item.section]
    parent = world.parent(item)
    grand = world.parent(parent) if parent else None
    out: dict[str, object] = {"ratingKey": item.rating_key, "key": item.key}
    if parent:
        out["parentRatingKey"] = parent.rating_key
    if grand:
        out["grandparentRatingKey"] = grand.rating_key
    out["guid"] = item.guid
    if item.type in ("movie", "show"):
        out["slug"] = "-".join(re.findall(r"[a-z0-9]+", item.title.lower()))
    for above, prefix in ((parent, "parent"), (grand, "grandparent")):
        if above:
            out[f"{prefix}Guid"] = above.guid
    out |= {"studio": item.studio, "type": item.type, "title": item.title}
    out["titleSort"] = item.sort_title if item.sort_title != item.title else None
    for above, prefix in ((grand, "grandparent"), (parent, "parent")):
        if above:
            out |= {f"{prefix}Key": f"/library/metadata/{above.rating_key}", f"{prefix}Title": above.title}
    if full:
        out |= {
            "librarySectionTitle": library.title,
            "librarySectionID": library.key,
            "librarySectionKey": f"/library/sections/{library.key}",
        }
    out |= {
        "originalTitle": item.original_title,
        "contentRating": item.content_rating,
        "editionTitle": item.edition,
        "summary": item.summary,
    }
    out["index"] = item.index if item.type not in ("movie", "collection") else None
    out["parentIndex"] = parent.index if parent and item.type in ("episode", "track") else None
    out |= {"rating": item.rating, "audienceRating": item.audience_rating, "userRating": item.user_rating}
    if item.leaf:
        out |= {"viewOffset": item.view_offset or None, "viewCount": item.view_count or None}
    out |= {"lastViewedAt": item.last_viewed_at, "year": item.year, "tagline": item.tagline}
    if item.type == "track" and parent:
        out["thumb"] = thumb(parent)
    else:
        out["thumb"] = thumb(item)
    top = grand or parent or item
    out["art"] = art(top)
    if parent:
        out["parentThumb"] = thumb(parent)
    if grand:
        out |= {"grandparentThumb": thumb(grand), "grandparentArt": art(grand)}
    out |= {"duration": item.duration, "originallyAvailableAt": item.originally_available}
    if item.type in ("show", "season", "artist", "album"):
        leaves = list(world.leaves(item))
        out |= {"leafCount": len(leaves), "viewedLeafCount": sum(bool(leaf.view_count) for leaf in leaves)}
    if item.type in ("show", "artist"):
        out["childCount"] = len(item.children)
    if item.type == "collection":
        out |= {"subtype": library.type, "childCount": len(item.children)}
    out |= {"addedAt": item.added_at, "updatedAt": item.updated_at}
    out |= {"audienceRatingImage": item.audience_rating_image, "ratingImage": item.rating_image}
    return out


def _media(world: World, media: MediaFile, item: Item, full: bool, files: bool) -> str:
    attributes = {"id": media.id, **media.profile.attributes(item.duration or 0)}
    part: dict[str, object] = {"id": media.id + 100_000}
    if files:
        part |= {"accessible": 1, "exists": 1}
    part |= {"key": f"/library/parts/{media.id + 100_000}/{item.added_at}/file.{media.profile.container}", "duration": item.duration}
    part |= {"file": media.file, "size": media.size}
    profile = media.profile.audio[0].profile
    part |= {"audioProfile": profile, "container": media.profile.container}
    if media.profile.video:
        part["videoProfile"] = media.profile.video.profile
    streams = []
    if full:
        for stream in media.profile.streams():
            streams.append(element("Stream", {"id": (media.id * 20) + int(str(stream["index"])), **stream}))
    return element("Media", attributes, [element("Part", part, streams)])


def _tags(world: World, item: Item, full: bool, without: frozenset[str]) -> list[str]:
    out = []
    for field, tag in TAG_FIELDS.items():
        if tag in without or (field == "label" and not full):
            continue
        names = item.tags.get(field, ())
        for name in names if full else names[:3]:
            number = world.tag_id(field, name)
            attributes: dict[str, object] = {"id": number, "filter": f"{field}={number}", "tag": name} if full else {"tag": name}
            if full and field == "actor":
                attributes["role"] = f"{name.partition(' ')[0]} in person"
            out.append(element(tag, attributes))
    return out


def section(library: Library) -> str:
    """A ``Directory`` of /library/sections."""
    kind = library.type
    return element(
        "Directory",
        {
            "allowSync": 1,
            "art": f"/:/resources/{kind}-fanart.jpg",
            "composite": f"/library/sections/{library.key}/composite/{library.updated_at}",
            "filters": 1,
            "refreshing": 0,
            "thumb": f"/:/resources/{kind}.png",
            "key": library.key,
            "type": kind,
            "title": library.title,
            "agent": library.agent,
            "scanner": library.scanner,
            "language": "en-US",
            "uuid": library.uuid,
            "updatedAt": library.updated_at,
            "createdAt": library.created_at,
            "scannedAt": library.scanned_at,
            "content": 1,
            "directory": 1,
            "contentChangedAt": library.changed,
            "hidden": 0,
        },
        [element("Location", {"id": library.key, "path": library.location})],
    )


def picture_list(world: World, item: Item, kind: str) -> str:
    """/library/metadata/RK/posters and its kin: uploads first, then the agents' two."""
    path = f"/library/metadata/{item.rating_key}/file?url="
    selected = item.selected.get(kind, "")
    rows = []
    uploads = [picture.key for picture in item.pictures.get(kind, ())]
    drawn = [world.agent_key(item, kind, variant) for variant in (0, 1)] if kind in ("posters", "arts", "squareArts") else []
    for key in uploads + drawn:
        url = key if key.startswith(("http://", "https://")) else path + quote(key, safe="")
        chosen = key == selected or (not selected and key == drawn[0])
        provider = "tv.plex.agents.demo" if key in drawn else None
        attributes = {"key": url, "provider": provider, "ratingKey": key, "selected": int(chosen), "thumb": url}
        rows.append(element("Track" if kind == "themes" else "Photo", attributes))
    return container(
        {"identifier": "com.plexapp.plugins.library", "mediaTagPrefix": "/system/bundle/media/flags/", "mediaTagVersion": 1734362201}, rows
    )


def setting(
    name: str, label: str, kind: str, default: object, value: object, group: str = "", values: str = "", hidden: bool = False
) -> str:
    """A ``Setting`` of /:/prefs or of a library."""
    # Unlike elsewhere, empty values are written: clients read them.
    text = {"default": _plain(default), "value": _plain(value)}
    body = element(
        "Setting",
        {
            "id": name,
            "label": label,
            "summary": label,
            "type": kind,
            "hidden": int(hidden),
            "advanced": 0,
            "group": group,
            "enumValues": values,
        },
    )
    extra = "".join(f' {key}="{_ESCAPED.sub(lambda match: _ESCAPES[match.group()], word)}"' for key, word in text.items())
    return body.replace(f'type="{kind}"', f'type="{kind}"{extra}', 1)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
