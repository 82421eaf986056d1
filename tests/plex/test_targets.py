from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from sidecar.demo import DemoPlex, World
from sidecar.errors import PlexAway, PlexRefused
from sidecar.model import Level, LibraryPlan, Severity
from sidecar.plex import PlexReader, TargetPlan, TargetWishes, Wish, resolve_targets
from tests.plex.conftest import server_of

MOVIES = LibraryPlan(name="Movies", key="Movies")
SHOWS = LibraryPlan(name="Shows", key="Shows", levels=frozenset({Level.SHOW, Level.SEASON, Level.EPISODE}))
NONE = TargetWishes(per_library=0)


def listed(**wish: object) -> TargetWishes:
    return TargetWishes(per_library=0, listed=(Wish(**wish),))  # type: ignore[arg-type]


async def resolve(reader: PlexReader, wanted: TargetWishes, *libraries: LibraryPlan, remembered: TargetPlan | None = None) -> TargetPlan:
    return await resolve_targets({"plex-0": reader}, libraries or (MOVIES, SHOWS), wanted, remembered.remembered if remembered else {})


@pytest.mark.parametrize(
    ("wish", "key", "label"),
    [
        ({"rating_key": 101}, 101, "The Salt Meridian (2023)"),
        ({"title": "Paper Comets"}, 104, "Paper Comets (2020)"),
        ({"title": "ministry of SMALL birds", "year": 1987}, 111, "Ministry of Small Birds (1987)"),
        ({"title": "überlicht"}, 113, "Überlicht (2019)"),
        ({"title": "Signal Hollow", "library": "Shows"}, 201, "Signal Hollow (2021)"),
        ({"title": "Signal Hollow", "season": 2}, 207, "Signal Hollow S02"),
        ({"title": "Signal Hollow", "season": 2, "episode": 1}, 208, "Signal Hollow S02E01 Return Path"),
        ({"rating_key": 201, "season": 1, "episode": 2}, 204, "Signal Hollow S01E02 The Listening Room"),
        ({"rating_key": 208}, 208, "Signal Hollow S02E01 Return Path"),
        ({"guid": "imdb://tt9100103"}, 103, "A Clockmaker's Winter (2018)"),
        ({"guid": "tvdb://8100201", "season": 1}, 202, "Signal Hollow S01"),
    ],
)
async def test_listed_targets_are_found(reader: PlexReader, wish: dict[str, object], key: int, label: str) -> None:
    plan = await resolve(reader, listed(**wish))
    assert plan.problems == ()
    [target] = plan.targets
    assert (target.rating_key, target.label, target.why) == (key, label, "listed")
    assert target.thumb.startswith(f"/library/metadata/{key}/thumb/")
    assert target.locations
    again = await resolve(reader, listed(**wish), remembered=plan)
    assert again.targets == plan.targets


async def test_a_plex_guid(plex: DemoPlex, reader: PlexReader) -> None:
    plan = await resolve(reader, listed(guid=plex.world.items[105].guid))
    assert [target.rating_key for target in plan.targets] == [105]


async def test_a_found_guid_is_not_searched_again_and_a_missing_one_only_when_the_library_grows(plex: DemoPlex, reader: PlexReader) -> None:
    def scans() -> int:
        count = sum("includeGuids" in request.query and "/all" in request.path for request in plex.requests)
        plex.forget()
        return count

    wanted = TargetWishes(per_library=0, listed=(Wish(guid="imdb://tt9100103"), Wish(guid="imdb://tt404")))
    first = await resolve(reader, wanted)
    assert scans() > 0
    second = await resolve(reader, wanted, remembered=first)
    assert scans() == 0
    assert [target.rating_key for target in second.targets] == [103]
    assert "imdb://tt404" in second.problems[0].what
    plex.world.make(900, "movie", 1, "New One", guids=("imdb://tt404",))
    third = await resolve(reader, wanted, remembered=second)
    assert [target.rating_key for target in third.targets] == [103, 900]
    assert third.problems == ()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"title": "Paper Comet"}, "nearest: Paper Comets (2020)"),
        ({"title": "Quiet Cartografer"}, "nearest: The Quiet Cartographer (1954)"),
        ({"title": "Paper Comets", "year": 1999}, "target Paper Comets (1999): Plex has no such item"),
        ({"title": "Signal Hollow", "season": 9}, "has no such season; there are seasons 1, 2"),
        ({"title": "Signal Hollow", "season": 1, "episode": 99}, "has no such episode; there are seasons 1, 2"),
        ({"title": "Paper Comets", "season": 1}, "not a show"),
        ({"title": "Paper Comets", "library": "Movie"}, "no library Movie with overlay files; the nearest: Movies"),
        ({"guid": "imdb://tt0000000"}, "target imdb://tt0000000: Plex has no such item"),
        ({"rating_key": 401}, "it is in the library Music, which has no overlay files"),
    ],
)
async def test_what_is_not_found_is_a_problem_and_not_fatal(reader: PlexReader, wish: dict[str, object], words: str) -> None:
    plan = await resolve(reader, listed(**wish))
    [problem] = plan.problems
    assert words in problem.what
    assert problem.mend
    assert problem.severity is Severity.WARNING
    assert plan.targets == ()
    assert plan.scopes == {}


async def test_an_ambiguous_title_names_the_ones_that_are_meant(plex: DemoPlex, reader: PlexReader) -> None:
    plex.world.make(901, "movie", 1, "Paper Comets", year=1961)
    plan = await resolve(reader, listed(title="Paper Comets"))
    [problem] = plan.problems
    assert "2 items are meant" in problem.what
    assert "Paper Comets (1961) in Movies, rating_key 901" in problem.what
    assert "year" in problem.mend
    plan = await resolve(reader, listed(title="Paper Comets", year=1961))
    assert [target.rating_key for target in plan.targets] == [901]


async def test_a_listed_item_that_is_gone_is_reported(plex: DemoPlex, reader: PlexReader) -> None:
    wanted = TargetWishes(per_library=0, listed=(Wish(rating_key=101), Wish(title="Paper Comets")))
    first = await resolve(reader, wanted)
    assert len(first.targets) == 2
    for key in (101, 104):
        plex.world.delete(key)
    second = await resolve(reader, wanted, remembered=first)
    assert second.targets == ()
    assert [(target.rating_key, target.library) for target in second.gone] == [(101, "Movies"), (104, "Movies")]
    assert len(second.problems) == 2


async def test_automatic_movies_differ_in_what_overlays_look_at(plex: DemoPlex, reader: PlexReader) -> None:
    plan = await resolve(reader, TargetWishes(), MOVIES)
    assert len(plan.targets) == 8
    files = [plex.world.items[target.rating_key].media for target in plan.targets]
    profiles = [media.profile for movie in files for media in movie]
    videos = [profile.video for profile in profiles if profile.video]
    assert len({video.resolution for video in videos}) >= 3
    assert {"dv5", "hlg", ""} <= {video.hdr for video in videos}
    assert len({profile.audio[0].codec for profile in profiles}) >= 6
    assert any(len(movie) > 1 for movie in files)
    assert sum(bool(plex.world.items[target.rating_key].edition) for target in plan.targets) >= 3
    assert all(target.why and target.level is Level.MOVIE for target in plan.targets)


async def test_automatic_targets_are_stable(plex: DemoPlex, reader: PlexReader) -> None:
    first = await resolve(reader, TargetWishes(per_library=5))
    second = await resolve(reader, TargetWishes(per_library=5), remembered=first)
    assert second.targets == first.targets
    assert (await resolve(reader, TargetWishes(per_library=5))).targets == first.targets
    movies = [target.rating_key for target in first.targets if target.level is Level.MOVIE]
    plex.world.make(902, "movie", 1, "A New Wonder", edition="Black and White", content_rating="X")
    third = await resolve(reader, TargetWishes(per_library=5), remembered=first)
    assert [target.rating_key for target in third.targets if target.level is Level.MOVIE] == movies
    plex.world.delete(movies[1])
    fourth = await resolve(reader, TargetWishes(per_library=5), remembered=third)
    now = [target.rating_key for target in fourth.targets if target.level is Level.MOVIE]
    assert now[:4] == [movies[0], *movies[2:]]
    assert len(now) == 5
    assert [problem.severity for problem in fourth.problems] == [Severity.INFO]
    assert str(movies[1]) in fourth.problems[0].what


async def test_fewer_and_more_than_there_are(reader: PlexReader) -> None:
    many = await resolve(reader, TargetWishes(per_library=500), MOVIES)
    assert len(many.targets) == 14
    few = await resolve(reader, TargetWishes(per_library=2), MOVIES, remembered=many)
    assert [target.rating_key for target in few.targets] == [target.rating_key for target in many.targets[:2]]


@pytest.mark.parametrize(
    ("levels", "wanted", "counts"),
    [
        ((), TargetWishes(), {Level.SHOW: 3}),
        ((Level.SHOW, Level.SEASON, Level.EPISODE), TargetWishes(), {Level.SHOW: 3, Level.SEASON: 4, Level.EPISODE: 4}),
        ((Level.EPISODE,), TargetWishes(), {Level.EPISODE: 4}),
        ((Level.SEASON, Level.EPISODE), TargetWishes(seasons=2, episodes=False), {Level.SEASON: 2}),
        ((Level.SEASON, Level.EPISODE), TargetWishes(seasons=0, episodes=7), {Level.EPISODE: 7}),
        ((Level.SHOW, Level.SEASON), TargetWishes(per_library=1), {Level.SHOW: 1, Level.SEASON: 1}),
        ((Level.SHOW, Level.SEASON), NONE, {}),
    ],
)
async def test_seasons_and_episodes_where_the_config_has_them(
    reader: PlexReader, levels: tuple[Level, ...], wanted: TargetWishes, counts: Mapping[Level, int]
) -> None:
    plan = await resolve(reader, wanted, LibraryPlan(name="Shows", key="Shows", levels=frozenset(levels)))
    found = {level: sum(target.level is level for target in plan.targets) for level in {target.level for target in plan.targets}}
    assert found == counts
    for target in plan.targets:
        if target.level is Level.EPISODE:
            assert len(target.parents) == 2
            assert target.show_title
            assert target.season_number is not None
            assert target.episode_number is not None
            assert target.locations[0].startswith("/media/shows/")


async def test_music(reader: PlexReader) -> None:
    plan = await resolve(reader, TargetWishes(), LibraryPlan(name="Music", key="Music", levels=frozenset({Level.ARTIST, Level.ALBUM})))
    assert {target.level for target in plan.targets} == {Level.ARTIST, Level.ALBUM}


async def test_listed_and_chosen_are_not_doubled(reader: PlexReader) -> None:
    plan = await resolve(reader, TargetWishes(per_library=500, listed=(Wish(rating_key=109), Wish(title="Copper Saints"))), MOVIES)
    keys = [target.rating_key for target in plan.targets]
    assert sorted(keys) == sorted(set(keys))
    assert {target.rating_key: target.why for target in plan.targets}[109] == "listed"


async def test_the_scope_holds_targets_parents_and_what_is_below(plex: DemoPlex, reader: PlexReader) -> None:
    plan = await resolve(reader, TargetWishes(per_library=0, listed=(Wish(rating_key=208), Wish(rating_key=101))))
    scope = plan.scopes["plex-0"]
    assert scope.targets == {208, 201, 101}  # the season 207 is readable, but would be drawn were it listed
    world = plex.world
    family = {201, *world.items[201].children, *(leaf.rating_key for leaf in world.leaves(world.items[201]))}
    assert scope.visible == family | {101}
    assert scope.sections == {1, 2}


async def test_a_huge_show_is_cut_and_told(plex: DemoPlex, reader: PlexReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.plex.targets.MOST_VISIBLE", 5)
    plan = await resolve(reader, listed(rating_key=201))
    assert len(plan.scopes["plex-0"].visible) == 5
    [problem] = plan.problems
    assert "more episodes than a preview reads" in problem.what


async def test_missing_and_odd_libraries_are_problems(plex: DemoPlex, reader: PlexReader) -> None:
    plan = await resolve(reader, TargetWishes(per_library=1), MOVIES, LibraryPlan(name="TV Shows", key="TV Shows"))
    assert len(plan.targets) == 1
    [problem] = plan.problems
    assert problem.severity is Severity.ERROR
    assert problem.what == "Plex has no library TV Shows; the nearest: Shows"
    plan = await resolve(reader, TargetWishes(per_library=1), LibraryPlan(name="Qwxz", key="Qwxz"))
    assert plan.problems[0].what == "Plex has no library Qwxz; there are: Movies, Music, Shows"
    assert plan.targets == ()


@dataclass
class Pair:
    one: DemoPlex
    two: DemoPlex
    readers: dict[str, PlexReader]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with DemoPlex(World.sample()) as one, DemoPlex(World.sample("Other")) as two:
        readers = {"plex-0": PlexReader(server_of(one)), "plex-1": PlexReader(server_of(two, name="plex-1"))}
        yield Pair(one, two, readers)
        for reader in readers.values():
            await reader.close()
        assert one.mutations == two.mutations == []


OTHER = LibraryPlan(name="Movies", key="Movies 2", server="plex-1")


async def test_two_servers_are_kept_apart(pair: Pair) -> None:
    plan = await resolve_targets(
        pair.readers, [MOVIES, OTHER], TargetWishes(per_library=3, listed=(Wish(rating_key=101, library="Movies 2"),)), {}
    )
    assert {target.server for target in plan.targets} == {"plex-0", "plex-1"}
    assert len({target.id for target in plan.targets}) == len(plan.targets)
    assert "plex-1.101" in {target.id for target in plan.targets}
    assert set(plan.scopes) == {"plex-0", "plex-1"}
    assert len(plan.remembered) == 2


async def test_one_server_away_is_a_problem_and_all_away_an_error(pair: Pair) -> None:
    pair.two.fail("maintenance")
    plan = await resolve_targets(pair.readers, [MOVIES, OTHER], TargetWishes(per_library=2), {})
    assert {target.server for target in plan.targets} == {"plex-0"}
    assert "maintenance" in plan.problems[0].what
    pair.one.fail("unauthorized")
    with pytest.raises(PlexRefused):
        await resolve_targets(pair.readers, [MOVIES, OTHER], TargetWishes(per_library=2), {})


async def test_a_server_that_leaves_in_the_midst_is_an_error(plex: DemoPlex, reader: PlexReader) -> None:
    plex.fail("down", path="/all")
    with pytest.raises(PlexAway):
        await resolve(reader, TargetWishes())


async def test_a_server_that_config_lost_is_a_problem(reader: PlexReader) -> None:
    plan = await resolve(reader, TargetWishes(per_library=1), MOVIES, OTHER)
    assert "no Plex server plex-1" in plan.problems[0].what
    assert len(plan.targets) == 1


async def test_what_it_costs_does_not_grow_with_the_library() -> None:
    counts, sizes = [], []
    for movies in (60, 1500):
        async with DemoPlex(World.sized(movies)) as plex:
            reader = PlexReader(server_of(plex))
            first = await resolve(reader, TargetWishes(), MOVIES)
            counts.append(len(plex.requests))
            plex.forget()
            second = await resolve(reader, TargetWishes(), MOVIES, remembered=first)
            sizes.append(len(plex.requests))
            assert second.targets == first.targets
            await reader.close()
    assert counts[1] <= counts[0] + 5
    assert sizes[0] == sizes[1] <= 8
