from __future__ import annotations

import asyncio

import pytest

from sidecar.errors import PlexAway, PlexError
from sidecar.plex.together import together


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail(error: Exception) -> int:
    raise error


async def test_results_come_in_order() -> None:
    assert await together(give(number) for number in range(5)) == [0, 1, 2, 3, 4]
    assert await together(()) == []


async def test_the_first_plex_error_is_raised_bare_and_the_rest_is_cancelled() -> None:
    ended = asyncio.Event()

    async def wait() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return 0

    with pytest.raises(PlexAway, match="gone"):
        await together([wait(), fail(PlexAway("gone"))])
    assert ended.is_set()
    with pytest.raises(PlexError, match="inner"):
        await together([together_of(PlexError("inner"))])


async def together_of(error: Exception) -> int:
    return sum(await together([fail(error), give(1)]))


async def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await together([fail(ValueError("a bug"))])
    assert isinstance(caught.value.exceptions[0], ValueError)
