from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from sidecar.errors import StoreError
from sidecar.model import Blob, EngineInfo, Health, PictureState, Run, RunState, Severity
from sidecar.publish import Gallery, GalleryView, RunBrief
from sidecar.publish.thumbs import make_thumb
from tests.publish.reviews import review_of, standing
from tests.publish.samples import DRAFT, KOMETA, START, Store, episode, movie, problem, rendered, run, writes

VOID = frozenset({"meta", "link", "input", "img", "br"})


class Page(HTMLParser):
    """A strict reading of a page: tags balance, and everything that is named is kept."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def urls(self) -> Iterator[str]:
        for _, attrs in self.tags:
            for name in ("href", "src", "action", "poster", "srcset", "data"):
                if attrs.get(name):
                    yield str(attrs[name])

    def all(self, tag: str, **attrs: str) -> list[dict[str, str | None]]:
        wanted = {name.replace("_", "-"): value for name, value in attrs.items()}
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "blobs")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data/gallery"


@pytest.fixture
def gallery(root: Path, store: Store) -> Gallery:
    return Gallery(root, store.path)


def page(path: Path) -> Page:
    return Page(path.read_text())


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and mtime of each file: what was written again differs."""
    return {str(p.relative_to(root)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()}


def check_links(root: Path) -> None:
    """Every URL of every page is relative and leads to a file of the gallery."""
    for path in [*root.glob("*.html"), *root.glob("runs/*/*.html")]:
        for url in page(path).urls():
            if url.startswith("#"):
                continue
            assert re.fullmatch(r"[A-Za-z0-9._/-]+(\?[a-z]+=[A-Za-z0-9._-]+)?", url), url
            target = (path.parent / url.partition("?")[0]).resolve()
            assert target.is_relative_to(root.resolve()), url
            assert target.is_file(), f"{path.name} -> {url}"


def publish_whole(gallery: Gallery, view: GalleryView) -> None:
    """With the small pictures that are left for a quiet moment."""
    gallery.publish(view)
    while gallery.owes_thumbs:
        gallery.make_thumbs()
    gallery.publish(view)


def test_a_run_is_shown_in_full(gallery: Gallery, root: Path, store: Store) -> None:
    before, after = store.flat("gray", form="jpeg"), store.flat("red")
    wide = store.flat("blue", (160, 90))
    pictures = (
        rendered(movie(101, "Heat", 1995, why="4K"), before, after, overlays=({"name": "4K", "line": 12},)),
        rendered(episode(201, "Dark", 2, "Lies"), before, wide),
        replace(rendered(movie(102, "Ran"), before, None), state=PictureState.UNTOUCHED),
        replace(rendered(movie(103, "Gone"), None, None), state=PictureState.GONE),
    )
    done = run(1, pictures, problems=(problem(Severity.WARNING, "odd key", file="config.yml", line=7, mend="take it out"),))
    done = replace(done, blocked=writes(done.id, (101, 201)))
    publish_whole(gallery, GalleryView(shown=done, latest=done, history=(RunBrief.of(done),), config_dir="config"))

    first = page(root / "index.html")
    for words in (
        "config.yml:7",
        "odd key",
        "take it out",
        "Kometa 2.4.4",
        done.revision[:12],
        "3.42 s",
        "Heat",
        "S01E02",
        "No longer in Plex",
    ):
        assert words in first.text
    cards = {str(card["id"])[2:]: card for card in first.all("article")}
    assert {key: card["data-status"] for key, card in cards.items()} == {
        "101": "changed",
        "201": "changed",
        "102": "untouched",
        "103": "gone",
    }
    assert "card--wide" in str(cards["201"]["class"])
    assert {key for key, card in cards.items() if card.get("data-art", "=") != "="} == {"101", "201"}  # with a picture from before
    assert (root / f"img/{after.name}").read_bytes() == store.path(after).read_bytes()
    assert (root / f"thumbs/{after.sha256}-480.webp").is_file()
    assert (root / f"thumbs/{wide.sha256}-720.webp").is_file()
    check_links(root)


def test_summary_and_latest(gallery: Gallery, root: Path, store: Store) -> None:
    before, after = store.flat("gray"), store.flat("red")
    trouble = problem(Severity.ERROR, "no font", file="overlays/a.yml", line=3, mend="add it", target="102")
    pictures = (
        rendered(movie(101, "Heat", 1995), before, after, overlays=({"name": "4K", "box": (1, 2, 3, 4)},), left_out=({"name": "HD"},)),
        replace(rendered(movie(102, "Ran"), before, None, problems=(trouble,)), state=PictureState.FAILED),
    )
    done = run(1, pictures, problems=(trouble,))
    done = replace(done, blocked=writes(done.id, (101,)))
    bad = run(2, (), state=RunState.INVALID, problems=(problem(Severity.ERROR, "bad"),))
    gallery.publish(GalleryView(shown=done, latest=bad, health=(Health(part="plex", ok=False, since=START),)))

    summary = json.loads((root / "summary.json").read_text())
    assert (summary["run"], summary["state"], summary["engine"], summary["kometa"]) == (done.id, "done", "kometa", "2.4.4")
    assert summary["counts"] | {"rendered": 1, "failed": 1, "blocked": 3, "unexpected_writes": 1, "errors": 1} == summary["counts"]
    assert summary["problems"][0] | {"file": "overlays/a.yml", "line": 3, "mend": "add it"} == summary["problems"][0]
    heat, ran = summary["targets"]
    assert heat["after"]["sha256"] == after.sha256
    assert heat["overlays"] == [{"name": "4K", "box": [1, 2, 3, 4]}]
    assert ran["after"] is None
    assert (root / heat["after"]["url"]).is_file()
    own = root / f"runs/{done.id}/summary.json"
    assert (own.parent / json.loads(own.read_text())["targets"][0]["after"]["thumb"]).resolve().is_file()

    latest = json.loads((root / "latest.json").read_text())
    assert (latest["shown"]["run"], latest["latest"]["run"], latest["latest"]["state"], latest["current"]) == (
        done.id,
        bad.id,
        "invalid",
        None,
    )
    assert latest["health"][0]["ok"] is False


def test_a_broken_config_is_on_top_and_the_pictures_stay(gallery: Gallery, root: Path, store: Store) -> None:
    good = run(1, (rendered(movie(101, "Heat"), None, store.flat("red")),))
    bad = run(
        2, (), state=RunState.INVALID, problems=(problem(Severity.ERROR, "found a tab", file="config.yml", line=9, mend="use spaces"),)
    )
    gallery.publish(GalleryView(shown=good, latest=bad, health=(Health(part="config", ok=False),)))
    html = (root / "index.html").read_text()
    first = Page(html)
    assert html.index("found a tab") < html.index('id="pictures"')
    for words in ("The config cannot be rendered", "config.yml:9", "use spaces", "last good run"):
        assert words in first.text
    assert [card["id"] for card in first.all("article")] == ["t-101"]
    assert "found a tab" in page(root / f"runs/{bad.id}/index.html").text
    gallery.publish(GalleryView(shown=good, latest=good))
    assert "found a tab" not in (root / "index.html").read_text()


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (GalleryView(config_dir="config", engine=KOMETA), "Waiting for the first save"),
        (GalleryView(watching=False), "Nothing has been rendered"),
        (GalleryView(current=run(1, (), state=RunState.PLANNING)), "Getting ready"),
        (GalleryView(latest=run(1, (), state=RunState.FAILED)), "No cause was reported"),
        (GalleryView(health=(Health(part="plex", ok=False, detail="no route", since=START),)), "Plex is away"),
        (GalleryView(health=(Health(part="worker", ok=False),)), "worker is away"),
    ],
)
def test_without_pictures(gallery: Gallery, root: Path, view: GalleryView, words: str) -> None:
    gallery.publish(view)
    assert words in page(root / "index.html").text
    check_links(root)


@pytest.mark.parametrize("state", [state for state in RunState if state.final])
def test_every_ended_run_has_a_page(gallery: Gallery, root: Path, state: RunState) -> None:
    ended = run(1, (), state=state, engine=None, revision="")
    gallery.publish(GalleryView(latest=ended, history=(RunBrief.of(ended),)))
    assert f"runs/{ended.id}/index.html" in set(page(root / "index.html").urls())
    check_links(root)


def test_draft_pictures_are_never_mistaken(gallery: Gallery, root: Path, store: Store) -> None:
    after = store.flat("red")
    gone = replace(rendered(movie(3, "C"), None, None), state=PictureState.GONE)
    done = run(1, (rendered(movie(1, "A"), after, after), rendered(movie(2, "B"), None, after), gone), engine=DRAFT)
    gallery.publish(GalleryView(shown=done, latest=done))
    for path in (root / "index.html", root / f"runs/{done.id}/index.html"):
        shown = page(path)
        assert "Draft pictures, not Kometa’s." in shown.text
        assert "Draft engine 0.1.0" in shown.text
        assert not re.search(r"Kometa \d", shown.text)
        assert all("is-draft" in str(card["class"]).split() for card in shown.all("article"))
        assert len(shown.all("p", **{"class": "stamp stamp--band"})) == 2
    for name in ("summary.json", f"runs/{done.id}/summary.json"):
        summary = json.loads((root / name).read_text())
        assert (summary["engine"], summary["kometa"]) == ("draft", None)
        assert {target["engine"] for target in summary["targets"]} == {"draft"}
    assert json.loads((root / "latest.json").read_text())["shown"]["engine"] == "draft"


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>",
    "\u202eevil\u2066 \x00\x1b[31m \ud800 {{ 7*7 }} {% raw %} </template></article> javascript:alert(1)",
    "</title></style><svg onload=alert(1)>&#x3c;b&#x3e;",
)


def hostile_run(store: Store) -> Run:
    """Every text that somebody else wrote, hostile."""
    a, b, c = HOSTILE
    before, after = store.flat("gray"), store.flat("red")
    trouble = problem(Severity.ERROR, a, file=b, line=1, mend=c, target="1")
    engine = EngineInfo(kind="kometa", via=a, version=b, pillow=c, layout=a)
    targets = (
        movie(1, a, library=b, why=c),
        movie(2, b, library=c),
        replace(episode(3, a, 1, b), library=a),
    )
    pictures = tuple(
        rendered(target, before, after, problems=(trouble,), overlays=({"name": a, b: c},), left_out=({"reason": a},)) for target in targets
    )
    pictures = (*pictures, replace(pictures[0], target=movie(4, c), state=PictureState.FAILED, after=None))
    done = run(1, pictures, problems=(trouble,), engine=engine, reason=a, revision=b)
    return replace(done, blocked=tuple(replace(write, meaning=a, path=b, method=c) for write in writes(done.id, (1,))))


def test_hostile_text_stays_text(gallery: Gallery, root: Path, store: Store) -> None:
    done = hostile_run(store)
    failed = replace(done, id="20261121T020000-bad", state=RunState.FAILED)
    health = (Health(part=HOSTILE[0], ok=False, detail=HOSTILE[1], since=START),)
    gallery.publish(GalleryView(shown=done, latest=failed, history=(RunBrief.of(done),), health=health, config_dir=HOSTILE[2]))
    for path in root.rglob("*.html"):
        found = page(path)
        assert not [attrs for _, attrs in found.tags if any(name.startswith("on") or name == "style" for name in attrs)]
        assert all(attrs.get("src") for tag, attrs in found.tags if tag == "script")
        assert "<script>alert(1)</script>" in found.text or path.parent.name == "cards" or path.name in ("timeline.html", "compare.html")
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", path.read_text())
        assert "49" not in re.sub(r"\d{3,}", "", found.text)  # no template was run
    check_links(root)
    for path in root.rglob("*.json"):
        path.read_bytes().decode("ascii")
        json.loads(path.read_text())


def test_a_run_begins_without_writing_each_card(gallery: Gallery, root: Path, store: Store) -> None:
    """A card's file is written when its picture comes: nobody asks for it before."""
    gray, red, navy = (store.flat(colour) for colour in ("gray", "red", "navy"))
    done = run(1, tuple(rendered(movie(n, f"M{n}"), gray, red) for n in range(1, 6)))
    gallery.publish(GalleryView(shown=done, latest=done))
    waiting = tuple(replace(picture, state=PictureState.WAITING, after=None) for picture in done.pictures)
    current = run(2, waiting, state=RunState.RENDERING, ended=None, changed=())
    before = snapshot(root / "cards")
    gallery.publish(GalleryView(shown=done, latest=done, current=current))
    assert len(page(root / "index.html").all("article")) == 5
    assert snapshot(root / "cards") == before
    current = replace(current, pictures=(rendered(movie(1, "M1"), gray, navy), *waiting[1:]))
    gallery.publish(GalleryView(shown=done, latest=done, current=current))
    after = snapshot(root / "cards")
    assert {name for name in before if after[name] != before[name]} == {"1.html"}
    assert navy.sha256 in (root / "cards/1.html").read_text()


def test_no_inline_code_and_nothing_from_elsewhere(gallery: Gallery, root: Path, store: Store) -> None:
    done = run(1, (rendered(movie(1, "A"), store.flat("gray"), store.flat("red")),))
    gallery.publish(GalleryView(shown=done, latest=done))
    for path in root.rglob("*.html"):
        found = page(path)
        assert not found.all("style")
        assert all(attrs.get("src") and not set(attrs) - {"src", "defer"} for tag, attrs in found.tags if tag == "script")
        assert not [attrs for _, attrs in found.tags if "style" in attrs]
    for path in (root / "static").iterdir():
        assert re.fullmatch(r"[a-z]+\.[0-9a-f]{10}\.(css|js|svg)", path.name)
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert "@import" not in text
        assert "url(" not in text


def test_only_what_changed_is_written_again(gallery: Gallery, root: Path, store: Store) -> None:
    targets = [movie(n, f"M{n}") for n in range(1, 6)]
    gray = store.flat("gray")
    waiting = [replace(rendered(t, gray, None), state=PictureState.WAITING) for t in targets]
    current = run(2, tuple(waiting), state=RunState.RENDERING, ended=None, changed=())
    gallery.publish(GalleryView(current=current))
    before = snapshot(root)
    gallery.publish(GalleryView(current=current))
    assert snapshot(root) == before
    after = store.flat("red")
    current = replace(current, pictures=(rendered(targets[0], gray, after), *waiting[1:]))
    gallery.publish(GalleryView(current=current))
    now = snapshot(root)
    assert {name for name in now if now[name] != before.get(name)} == {
        f"img/{after.name}",
        "cards/1.html",
        "cards/1.js",
        "index.html",
    }


def test_details_of_a_run_in_progress_are_there_until_it_ended(gallery: Gallery, root: Path, store: Store) -> None:
    gray, red = store.flat("gray"), store.flat("red")
    drawn = rendered(movie(1, "A"), gray, red, overlays=({"name": "4K", "box": [1, 2, 3, 4]},))
    waiting = replace(rendered(movie(2, "B"), gray, None), state=PictureState.WAITING)
    current = run(2, (drawn, waiting), state=RunState.RENDERING, ended=None, changed=())
    gallery.publish(GalleryView(current=current))
    assert sorted(path.name for path in (root / "cards").iterdir()) == ["1.html", "1.js"]
    script = (root / "cards/1.js").read_text()
    found = json.loads(script.removeprefix('kometaSidecar("cards/1",').removesuffix(");\n"))
    assert (found["id"], found["overlays"][0]["name"], found["after"]["sha256"]) == ("1", "4K", red.sha256)
    done = replace(current, state=RunState.DONE, ended=current.started)
    gallery.publish(GalleryView(shown=done, latest=done))
    assert not (root / "cards/1.js").exists()
    data = json.loads((root / f"runs/{done.id}/data.json").read_text())
    assert data["targets"][0] == {**found, "edited": False}


def test_a_page_of_hundreds_stays_small(gallery: Gallery, root: Path, store: Store) -> None:
    """What every card costs: its details stand in the run's data."""
    gray, red = store.flat("gray"), store.flat("red")
    overlays = tuple({"name": f"Badge {number}", "box": [number, 2, 3, 4], "file": "overlays/badges.yml"} for number in range(8))
    sizes = []
    for count in (10, 110):
        pictures = tuple(rendered(movie(1000 + n, f"Movie {n}"), gray, red, overlays=overlays) for n in range(count))
        done = run(count, pictures, changed=())
        publish_whole(gallery, GalleryView(shown=done, latest=done))
        sizes.append([(root / name).stat().st_size for name in ("index.html", f"runs/{done.id}/index.html")])
        assert "Badge 7" in (root / f"runs/{done.id}/data.js").read_text()
    assert [(after - before) / 100 < 700 for before, after in zip(*sizes, strict=True)] == [True, True]


def test_a_new_picture_is_seen_before_there_is_a_small_one(gallery: Gallery, root: Path, store: Store) -> None:
    before, after = store.flat("gray"), store.flat("red")
    done = run(1, (rendered(movie(1, "A"), before, after),))
    view = GalleryView(shown=done, latest=done, history=(RunBrief.of(done),))
    gallery.publish(view)
    for place in ("index.html", f"runs/{done.id}/index.html"):
        assert f"img/{after.name}" in (root / place).read_text()
        assert "thumbs/" not in (root / place).read_text()
    check_links(root)
    assert gallery.owes_thumbs
    gallery.make_thumbs()
    assert not gallery.owes_thumbs
    gallery.publish(view)
    for place in ("index.html", f"runs/{done.id}/index.html"):
        assert f"thumbs/{after.sha256}-480.webp" in (root / place).read_text(), place
    for blob in (before, after):
        assert f"thumbs/{blob.sha256}-480.webp" in (root / f"runs/{done.id}/summary.json").read_text()
    check_links(root)
    settled = snapshot(root)
    gallery.publish(view)
    assert snapshot(root) == settled


def test_a_page_written_before_its_small_pictures_gets_them_after_a_restart(root: Path, store: Store) -> None:
    after = store.flat("red")
    failed = run(1, (rendered(movie(1, "A"), store.flat("gray"), after),), state=RunState.FAILED)
    view = GalleryView(latest=failed)
    Gallery(root, store.path).publish(view)
    again = Gallery(root, store.path)
    publish_whole(again, view)
    page, data = root / f"runs/{failed.id}/index.html", root / f"runs/{failed.id}/data.json"
    for path in (page, data):
        assert f"thumbs/{after.sha256}-480.webp" in path.read_text(), path
    check_links(root)


def test_a_restart_takes_no_review_from_a_page(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a picture can have no small one, so that its page looks as if it waited for it."""
    one = run(1, (rendered(movie(1, "A"), store.flat("gray"), store.flat("red")),))
    monkeypatch.setattr("sidecar.publish.images.make_thumb", lambda path, width: None)
    first = Gallery(root, store.path)
    publish_whole(first, GalleryView(shown=one, latest=one))
    first.publish_review(one, review_of(store, one, None))
    before = (root / f"runs/{one.id}/data.json").read_bytes()
    publish_whole(Gallery(root, store.path), GalleryView(shown=one, latest=one))
    assert (root / f"runs/{one.id}/data.json").read_bytes() == before


def test_what_a_power_cut_left_empty_is_made_again(root: Path, store: Store) -> None:
    """A name is there, its bytes are not: the store has them again, and the gallery must not keep its own."""
    after = store.flat("red")
    done = run(1, (rendered(movie(1, "A"), None, after),))
    view = GalleryView(shown=done, latest=done)
    publish_whole(Gallery(root, store.path), view)
    picture, small = root / f"img/{after.name}", root / f"thumbs/{after.sha256}-480.webp"
    whole = picture.read_bytes(), small.read_bytes()
    for path in (picture, small):
        path.unlink()  # another file than the store's
        path.touch()
    publish_whole(Gallery(root, store.path), view)
    assert (picture.read_bytes(), small.read_bytes()) == whole


def test_a_decision_shows_the_small_picture_once_there_is_one(gallery: Gallery, root: Path, store: Store) -> None:
    after = store.flat("red")
    done = run(1, (rendered(movie(1, "A"), None, after),))
    (target,) = (picture.target.id for picture in done.pictures)
    publish_whole(gallery, GalleryView(shown=done, latest=done, standings={target: standing(target, after, done)}))
    (baseline,) = (word["baseline"] for word in json.loads((root / "data/decisions.json").read_text())["targets"].values())
    assert baseline["shot"]["thumb"] == f"thumbs/{after.sha256}-480.webp"


def test_a_new_start_writes_nothing_again(root: Path, store: Store) -> None:
    done = run(1, (rendered(movie(1, "A"), store.flat("gray"), store.flat("red")),))
    view = GalleryView(shown=done, latest=done, history=(RunBrief.of(done),))
    Gallery(root, store.path).publish(view)
    before = snapshot(root)
    Gallery(root, store.path).publish(view)
    assert snapshot(root) == before


def test_an_ended_runs_page_stays_true(gallery: Gallery, root: Path, store: Store) -> None:
    one = run(1, (rendered(movie(1, "A"), None, store.flat("red")),))
    gallery.publish(GalleryView(shown=one, latest=one))
    permalink = root / f"runs/{one.id}/index.html"
    before = permalink.read_bytes()
    two = run(2, (rendered(movie(2, "B"), None, store.flat("blue")),))
    gallery.publish(GalleryView(shown=two, latest=two, config_dir="renamed"))
    assert permalink.read_bytes() == before
    assert not (root / "cards/1.html").exists()
    assert (root / "cards/2.html").exists()
    check_links(root)


def test_cards_stand_alone(gallery: Gallery, root: Path, store: Store) -> None:
    done = run(1, (rendered(movie(1, "A"), store.flat("gray"), store.flat("red")),))
    gallery.publish(GalleryView(shown=done, latest=done))
    card = (root / "cards/1.html").read_text()
    assert ' data-library="Movies" data-level="movie"' in card  # on the page its row says so
    assert card.replace(' data-library="Movies" data-level="movie"', "") in (root / "index.html").read_text()
    keys = [attrs["data-key"] for attrs in Page(card).all("article")]
    assert re.fullmatch("[0-9a-f]{12}", str(keys[0]))


def test_a_lost_or_broken_picture_does_not_stop_the_rest(
    gallery: Gallery, root: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    lost = store.flat("red")
    store.path(lost).unlink()
    broken = store.put(b"RIFF....WEBP not really")
    done = run(
        1, (rendered(movie(1, "A"), None, lost), rendered(movie(2, "B"), None, broken), rendered(movie(3, "C"), None, store.flat("blue")))
    )
    publish_whole(gallery, GalleryView(shown=done, latest=done))
    first = page(root / "index.html")
    assert f"img/{broken.name}" in set(first.urls())  # shown as it is: the file is Kometa's, whatever it holds
    assert len(first.all("article")) == 3
    assert "No picture kept" in first.text
    assert "missing from the store" in caplog.text
    assert "no thumbnail" in caplog.text


def test_names_cannot_leave_the_gallery(gallery: Gallery, store: Store) -> None:
    with pytest.raises(StoreError, match="not a name"):
        gallery.publish(GalleryView(latest=run(1, (), id="../../evil")))
    with pytest.raises(StoreError, match="not a name"):
        gallery.publish(GalleryView(shown=run(1, (rendered(movie(1, "A", server="../x"), None, None),))))
    evil = Blob(sha256="../../../etc/passwd", size=1, media_type="image/webp")
    with pytest.raises(StoreError, match="not a content hash"):
        gallery.publish(GalleryView(shown=run(2, (rendered(movie(1, "A"), None, evil),))))


def test_a_disk_that_refuses_is_named(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        Gallery(tmp_path / "file/gallery", store.path).publish(GalleryView())


def test_a_picture_of_the_next_run_waits_for_no_review(gallery: Gallery, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All small pictures of a large run are made meanwhile."""
    monkeypatch.setattr("sidecar.publish.gallery.BREATH", 0.5)
    done = run(1, tuple(rendered(movie(key, "A"), None, store.flat(f"#0000{key:02x}", form="png")) for key in range(1, 41)))
    begun, seen = threading.Event(), []

    def small(path: Path, width: int) -> bytes | None:
        begun.set()
        return make_thumb(path, width)

    def save() -> None:
        begun.wait(20)
        gallery.publish(GalleryView(current=replace(run(2, done.pictures[:1]), state=RunState.RENDERING)))
        seen.append(len(list((root / "thumbs").glob("*.webp"))))

    monkeypatch.setattr("sidecar.publish.images.make_thumb", small)
    other = threading.Thread(target=save)
    other.start()
    gallery.publish_review(done, review_of(store, done))
    other.join(20)
    assert len(seen) == 1
    assert seen[0] < 40
    assert len(list((root / "thumbs").glob("*.webp"))) == 40
    assert not gallery.owes_thumbs


def test_nothing_unfinished_is_left(gallery: Gallery, root: Path, store: Store) -> None:
    done = run(1, (rendered(movie(1, "A"), store.flat("gray"), store.flat("red")),))
    gallery.publish(GalleryView(shown=done, latest=done))
    assert not [path for path in root.rglob("*") if path.name.startswith(".")]
    assert {path.stat().st_mode & 0o777 for path in root.glob("*.html")} == {0o644}


@pytest.mark.parametrize(
    ("size", "width", "expected"), [((1000, 1500), 480, (480, 720)), ((300, 450), 480, (300, 450)), ((1920, 1080), 720, (720, 405))]
)
@pytest.mark.parametrize("form", ["webp", "jpeg", "png"])
def test_thumbnails(store: Store, size: tuple[int, int], width: int, expected: tuple[int, int], form: str, tmp_path: Path) -> None:
    data = make_thumb(store.path(store.flat("red", size, form)), width)
    assert data is not None
    (tmp_path / "thumb").write_bytes(data)
    with Image.open(tmp_path / "thumb") as image:
        assert (image.format, image.size) == ("WEBP", expected)


@pytest.mark.parametrize(
    ("speedups", "words"),
    [
        ({}, ""),
        ({"preload": "on", "pictures": "off: not found"}, ""),
        ({"preload": "off: not verified with Kometa 9.9", "pictures": "off: not verified with Kometa 9.9"}, "not verified with Kometa 9.9"),
        ({"preload": "off: by setting"}, "by setting"),
    ],
)
def test_a_kometa_without_speed_ups_is_shown_as_such(
    gallery: Gallery, root: Path, store: Store, speedups: dict[str, str], words: str
) -> None:
    after = store.flat("red")
    done = run(1, (rendered(movie(1, "A"), after, after),), engine=replace(KOMETA, version="9.9", speedups=speedups))
    gallery.publish(GalleryView(shown=done, latest=done))
    text = page(root / "index.html").text
    assert ("without speed-ups" in text) == bool(words)
    assert f"Kometa 9.9, without speed-ups ({words})" in text or not words
    assert json.loads((root / "summary.json").read_text())["renderer"]["speedups"] == speedups
