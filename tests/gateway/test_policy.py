"""The table: every read of Kometa's stands in it, nothing that changes Plex does, and what is judged is what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.gateway.canonical import Canonical, Refusal, canonicalise
from sidecar.gateway.policy import FACETS, RULES, STRIPPED, Action, Rule, Unseen, Verdict, judge, match, table
from sidecar.model import Scope

SCOPE = Scope(targets=frozenset({1, 3}), visible=frozenset({1, 2, 3}), sections=frozenset({1, 2}))


def verdict(method: str, target: str) -> Verdict | Unseen | Refusal:
    canonical = canonicalise(method, target)
    assert isinstance(canonical, Canonical), canonical
    return judge(canonical, SCOPE)


KOMETA = [
    "/",
    "/identity",
    "/:/prefs",
    "/library",
    "/library/sections",
    "/library/sections/1",
    "/library/sections/1/prefs",
    "/library/sections/1/all?includeGuids=1&type=1",
    "/library/sections/1/all?title=My+Overlay&type=18",
    "/library/sections/1/all?includeMeta=1&includeAdvanced=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0",
    "/library/sections/1/collections?includeMeta=1&includeAdvanced=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0",
    "/library/sections/1/resolution",
    "/library/sections/2/audioLanguage?type=4",
    "/library/sections/2/label?type=3",
    "/library/sections/2/all?show.label=12&type=2",
    "/library/sections/2/all?episode.label=12&type=4",
    "/library/sections/1/all?type=1&sort=titleSort&push=1&resolution=4k&or=1&resolution=1080&pop=1",
    "/library/sections/1/all?type=1&sort=addedAt%3Adesc%2CtitleSort&limit=10&push=1&year%3E%3E=1990&audienceRating%3E=8.5&pop=1",
    "/library/sections/1/all?type=1&push=1&title%3D=Heat&editionTitle!=Director%27s+Cut&addedAt%3E%3E=-30d&hdr=1&pop=1",
    "/library/sections/2/all?type=2&show.title!%3D=x&episode.resolution=4k&show.unwatchedLeaves=1",
    "/library/metadata/1?includeBandwidths=1&includeChapters=1&includeFields=thumbBlurHash%2CartBlurHash",
    "/library/metadata/1?excludeElements=Media%2CGenre&excludeFields=summary%2Ctagline&skipRefresh=1",
    "/library/metadata/2?includeGuids=1",
    "/library/metadata/1/children",
    "/library/metadata/1/children?excludeAllLeaves=1&index=1",
    "/library/metadata/1/grandchildren",
    "/library/metadata/1/allLeaves",
    "/library/metadata/1/posters",
    "/library/metadata/1/thumb/1700000000",
    "/library/metadata/1/art/1700000000?X-Plex-Token=anything",
    "/library/metadata/1/file?url=upload%3A%2F%2Fposters%2Fabc123",
    "/library/metadata/1/file?url=metadata%3A%2F%2Fposters%2Fcom.plexapp.agents.imdb_abc",
    "/library/collections/9/items",
]


@pytest.mark.parametrize("target", KOMETA)
def test_what_kometa_reads(target: str) -> None:
    assert isinstance(verdict("GET", target), Verdict)


@pytest.mark.parametrize("target", [target for target in KOMETA if "{" not in target])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "DELETE", "POST"])
def test_the_same_by_another_method(method: str, target: str) -> None:
    got = verdict(method, target)
    if method == "POST" and target.endswith("/posters"):
        assert isinstance(got, Verdict)
        assert got.rule.action is Action.CAPTURE
    else:
        assert isinstance(got, Refusal)


FORBIDDEN = [
    "/library/sections/all/refresh",
    "/library/sections/all/refresh?force=1",
    "/library/sections/1/refresh",
    "/library/sections/1/refresh?path=%2Fmedia&force=1",
    "/:/scrobble?key=1&identifier=com.plexapp.plugins.library",
    "/:/unscrobble?key=1&identifier=com.plexapp.plugins.library",
    "/:/rate?key=1&rating=1&identifier=com.plexapp.plugins.library",
    "/:/progress?key=1&time=1&state=stopped",
    "/:/timeline?ratingKey=1&state=playing&time=1",
    "/status/sessions/terminate?sessionId=1",
    "/status/sessions",
    "/status/sessions/history/all",
    "/security/token?type=delegation&scope=all",
    "/security/resources?source=x",
    "/player/playback/stop",
    "/video/:/transcode/universal/start.m3u8?path=x",
    "/audio/:/transcode/universal/start.mp3",
    "/video/:/transcode/universal/stop?session=1",
    "/library/metadata/1/subtitles?url=http%3A%2F%2Fevil%2F",
    "/playQueues/1?own=1",
    "/playQueues/1",
    "/photo/:/transcode?url=http%3A%2F%2F169.254.169.254%2F&width=1&height=1",
    "/services/ultrablur/colors?url=http%3A%2F%2Fevil%2F",
    "/services/ultrablur/image",
    "/log?message=x&level=1",
    "/log/networked?minutes=9",
    "/diagnostics/databases",
    "/diagnostics/logs",
    "/services/browse/L2V0Yw%3D%3D",
    "/services/browse",
    "/:/websockets/notifications",
    "/:/websocket/notifications",
    "/:/eventsource/notifications",
    "/library/sections/1/emptyTrash",
    "/library/sections/1/optimize",
    "/library/sections/1/match",
    "/library/sections/1/unmatch",
    "/library/sections/1/edit",
    "/library/sections/1/analyze",
    "/library/optimize",
    "/library/clean/bundles",
    "/media/grabbers/devices/discover",
    "/actions/scrobble",
    "/api/claim/token.json",
    "/myplex/claim",
    "/butler",
    "/updater/status",
    "/accounts",
    "/hubs/search?query=x",
    "/library/metadata/1/refresh",
    "/library/metadata/1/matches",
    "/library/metadata/1/file?url=http%3A%2F%2Fevil%2F",
    "/library/metadata/1/file?url=file%3A%2F%2F%2Fetc%2Fpasswd",
    "/library/metadata/1/thumb/1?url=http%3A%2F%2Fevil%2F",
    "/library/metadata/1?own=1",
    "/library/metadata/1?url=http%3A%2F%2Fevil%2F",
    "/library/metadata/1?includeChildren=1&includeChildren=0",
    "/library/metadata/1?includeChildren=%3Cscript%3E",
    "/library/sections/1/all?own=1",
    "/library/sections/1/all?url=x",
    "/library/sections/1/all?x-plex-token=x",
    "/library/sections/1/all?type=1&type=2",
    "/library/sections/1/all?limit=-1",
    "/library/sections/1/all?X-Plex-Container-Size=all",
    "/library/sections/1/all?sort=a%3Bdrop",
    "/library/sections/1/all?having=1",
    "/library/sections/1/all?movie.having=1",
    "/library/sections/1/all?episode.own%3D=1",
    "/identity?method=PUT",
    "/:/prefs?friendlyName=x",
    "/:/PREFS",
    "/Library/sections",
    "/library/sections/9/all",
    "/library/sections/1e1/all",
    "/library/parts/1/2/file.mkv",
]


@pytest.mark.parametrize("target", FORBIDDEN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reads_that_change_or_leak_are_refused(method: str, target: str) -> None:
    got = verdict(method, target)
    assert isinstance(got, Refusal)
    assert got.status == 403
    assert got.reason


@pytest.mark.parametrize("target", ["/library/metadata/7", "/library/metadata/7/thumb/1", "/library/metadata/7,8"])
def test_items_out_of_scope_do_not_exist(target: str) -> None:
    assert verdict("GET", target) == Unseen("an item that is not part of the preview", listing=False)


@pytest.mark.parametrize("target", ["/library/metadata/7/children", "/library/metadata/7/allLeaves", "/library/metadata/7/posters"])
def test_lists_of_items_out_of_scope_are_empty(target: str) -> None:
    assert verdict("GET", target) == Unseen("an item that is not part of the preview", listing=True)


def test_lists_of_keys_are_cut_to_the_visible() -> None:
    got = verdict("GET", "/library/metadata/1,9,2,1?checkFiles=1")
    assert isinstance(got, Verdict)
    assert got.send.target == "/library/metadata/1,2?skipRefresh=1"
    assert got.keys == (1, 2)


@pytest.mark.parametrize("key", sorted(STRIPPED))
def test_side_effects_are_taken_off_reads(key: str) -> None:
    got = verdict("GET", f"/library/metadata/1?{key}=1")
    assert isinstance(got, Verdict)
    assert got.send.target == "/library/metadata/1?skipRefresh=1"


@pytest.mark.parametrize(
    ("method", "target", "action"),
    [
        ("POST", "/library/metadata/1/posters", Action.CAPTURE),
        ("POST", "/library/metadata/2/posters?url=http%3A%2F%2Fplex%2Fx", Action.CAPTURE),
        ("POST", "/library/metadata/1/arts", Action.CAPTURE),
        ("POST", "/library/metadata/1/clearLogos", Action.CAPTURE),
        ("POST", "/library/metadata/1/squareArts", Action.CAPTURE),
        ("POST", "/library/metadata/1/themes", Action.CAPTURE),
        ("PUT", "/library/sections/1/all?type=1&id=1&label.locked=1&label%5B0%5D.tag.tag=Overlay", Action.RECORD),
        ("PUT", "/library/sections/1/all?type=1&id=1,3&label%5B%5D.tag.tag-=Overlay", Action.RECORD),
        ("PUT", "/:/prefs?DatabaseCacheSize=100", Action.RECORD),
        ("PUT", "/library/metadata/1/refresh", Action.RECORD),
        ("PUT", "/library/metadata/1/poster?url=upload%3A%2F%2Fx", Action.RECORD),
    ],
)
def test_writes_that_kometa_must_believe_in(method: str, target: str, action: Action) -> None:
    got = verdict(method, target)
    assert isinstance(got, Verdict)
    assert got.rule.action is action


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/library/metadata/9/posters"),
        ("PUT", "/library/sections/1/all?type=1&id=9&label%5B0%5D.tag.tag=Overlay"),
        ("PUT", "/library/sections/1/all?type=1&id=1,9"),
        ("PUT", "/library/sections/1/all?type=1&id=1&id=9"),
        ("PUT", "/library/sections/1/all?type=1&id=all"),
        ("PUT", "/library/sections/1/all?type=1"),
        ("PUT", "/library/sections/9/all?type=1&id=1"),
        ("PUT", "/library/metadata/9/refresh"),
        ("PUT", "/library/sections/1/refresh"),
        ("PUT", "/library/sections/1/analyze"),
        ("PUT", "/library/sections/1/emptyTrash"),
        ("PUT", "/library/metadata/1/unmatch"),
        ("PUT", "/library/metadata/1/split"),
        ("PUT", "/library/metadata/1/merge?ids=3"),
        ("PUT", "/library/optimize?async=1"),
        ("PUT", "/library/clean/bundles?async=1"),
        ("PUT", "/updater/check"),
        ("PUT", "/updater/apply"),
        ("POST", "/butler/BackupDatabase"),
        ("POST", "/playQueues"),
        ("POST", "/library/sections"),
        ("POST", "/library/collections"),
        ("DELETE", "/library/metadata/1"),
        ("DELETE", "/library/sections/1"),
        ("DELETE", "/library/sections/1/refresh"),
        ("PATCH", "/library/metadata/1"),
    ],
)
def test_other_writes_are_refused(method: str, target: str) -> None:
    assert isinstance(verdict(method, target), Refusal)


WORDS = "library sections metadata 1 2 9 1,9 all refresh children posters thumb file prefs : scrobble label collections identity"
parts = st.sampled_from([*WORDS.split(), "all%20", "%61ll", "genre", "emptyTrash", "x"])
queries = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "type",
                "sort",
                "url",
                "own",
                "checkFiles",
                "skipRefresh",
                "X-Plex-Token",
                "push",
                "title",
                "year%3E%3E",
                "id",
                "a%20b",
                "show.label",
            ]
        ),
        st.sampled_from(["1", "", "a+b", "%2B", "%26own%3D1", "upload%3A%2F%2Fx", "http%3A%2F%2Fx", "%23", "a%3Db"]),
    ).map("=".join),
    max_size=5,
).map("&".join)


@given(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]), st.lists(parts, max_size=5), queries)
def test_what_is_judged_is_what_would_be_sent(method: str, path: list[str], query: str) -> None:
    canonical = canonicalise(method, "/" + "/".join(path) + "?" + query)
    if not isinstance(canonical, Canonical):
        return
    got = judge(canonical, SCOPE)
    if not isinstance(got, Verdict) or got.rule.action not in (Action.FORWARD, Action.CUT):
        return
    assert method == "GET"
    again = canonicalise("GET", got.send.target)
    assert again == got.send, "the bytes on the wire read back as what was judged"
    judged_again = judge(got.send, SCOPE)
    assert isinstance(judged_again, Verdict), "what is sent is itself allowed"
    assert judged_again.send == got.send
    names = {key for key, _ in got.send.query}
    assert not names & {"url", "own", "checkFiles", "X-Plex-Token"} or got.send.segments[-1] == "file"
    assert not {"refresh", "scrobble", "emptyTrash"} & set(got.send.segments)


def test_no_row_is_unreachable() -> None:
    for rule in RULES:
        words = {
            "{section}": "1",
            "{key}": "1",
            "{keys}": "1,3",
            "{collection}": "1",
            "{image}": "thumb",
            "{stamp}": "1",
            "{facet}": "genre",
        }
        assert match(Canonical(rule.method, tuple(words.get(part, part) for part in rule.parts))) is rule


def test_no_facet_changes_plex() -> None:
    assert not FACETS & {"refresh", "analyze", "emptyTrash", "optimize", "match", "unmatch", "edit", "moments", "all"}


def test_the_table_lists_every_row() -> None:
    text = table()
    rows, words = text.split("\n\n")
    assert len(rows.splitlines()) == len(RULES) + 2
    for rule in RULES:
        assert f"| {rule.method} | `{rule.path}` | {rule.action} |" in rows
    for word in (*FACETS, *STRIPPED, "includeGuids", "push"):
        assert f"`{word}`" in words
    assert all(line.count("|") in (3, 7) for line in text.splitlines() if line), "no bar inside a cell"


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.action in (Action.CAPTURE, Action.RECORD)], ids=lambda rule: f"{rule.method} {rule.path}"
)
def test_what_is_kept_from_plex_is_kept_whatever_it_asks(rule: Rule) -> None:
    """Kometa's edits name any field."""
    path = rule.path.replace("{key}", "1").replace("{section}", "1")
    got = verdict(rule.method, f"{path}?id=1&thumb.value=x&anything.locked=1")
    assert isinstance(got, Verdict)
    assert got.rule is rule
