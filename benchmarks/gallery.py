"""What a long history of many targets costs the gallery: publishing, comparing, approving, and the size of what pages load.

    python -m benchmarks.gallery [--quick]

500 targets, 50 runs of 10 changed pictures each (--quick: 100 and 10), on a real store and gallery. Posters are small here but for the
comparison itself, which is measured on 1000 x 1500 WebP. What a history costs is shown by the processor time of the last runs beside
that of the first ones.
The pages of the last run, of all targets and of ten, are opened in Chromium: how soon it paints, loads, and shows a card's details.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from PIL import ImageDraw

from benchmarks._browser import visits
from sidecar.compare import compare
from tests.pipeline.desk import Desk, drawn, open_desk
from tests.publish.samples import poster

BADGES = ("4K", "HDR", "Dolby Atmos", "IMDb rating", "Ribbon", "Status")
"""Overlays of each poster: what the defaults of Kometa make of a film."""

FEW = 10
"""Targets of the gallery that the large one is held against."""


class Watch:
    """Wall clock and processor time (of all threads) of named pieces of work."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.busy: dict[str, list[float]] = {}
        self._since = (0.0, 0.0)

    def start(self) -> None:
        self._since = (time.perf_counter(), time.process_time())

    def lap(self, name: str) -> None:
        now, busy = time.perf_counter(), time.process_time()
        self.times.setdefault(name, []).append(now - self._since[0])
        self.busy.setdefault(name, []).append(busy - self._since[1])
        self.start()

    def ends(self, name: str, count: int) -> tuple[float, float]:
        """Median wall time of the last ``count``, and how their processor time has grown since the first: others may be working too."""
        times, busy = self.times[name], self.busy[name]
        return statistics.median(times[-count:]), statistics.median(busy[-count:]) / statistics.median(busy[:count])


def written(root: Path, since: float) -> int:
    """Files of the gallery written since then."""
    return sum(path.is_file() and path.stat().st_mtime >= since for path in root.rglob("*"))


async def history(desk: Desk, targets: int, runs: int, watch: Watch) -> tuple[str, dict[str, float]]:
    """A history; returns the last run's id, and what that run wrote and what pages load."""
    dice = random.Random(7)
    colours = [f"#{dice.randrange(1 << 24):06x}" for _ in range(targets)]
    bare = await desk.blob("black")
    overlays = tuple(
        {"name": name, "kind": "image", "box": [20 + 150 * at, 20, 130, 60], "file": "overlays/badges.yml", "group": "", "weight": 10 * at}
        for at, name in enumerate(BADGES)
    )
    pictures = [drawn(key, await desk.blob(colour), bare, overlays=overlays) for key, colour in enumerate(colours)]
    await desk.compared(await desk.run(pictures))
    watch.start()
    await desk.reviews.approve(who="benchmark")
    watch.lap("approve all")
    await desk.reviews.settle()
    await desk.showcase.flush()
    watch.lap("show approvals")
    mark = 0.0
    for number in range(1, runs):
        for key in dice.sample(range(targets), min(10, targets)):
            pictures[key] = replace(pictures[key], after=await desk.blob(colours[key], (5, 5, 10 + number, 20)))
        mark = time.time()
        watch.start()
        run = await desk.run(pictures)
        watch.lap("publish run")
        await desk.reviews.compare(run.id)
        watch.lap("compare run")
        await desk.reviews.settle()
        await desk.showcase.flush()
        watch.lap("publish review")
    gallery = desk.root / "gallery"
    files = {
        "index.html": "index.html",
        "run_page": f"runs/{run.id}/index.html",
        "run_data": f"runs/{run.id}/data.js",
        "timeline": "data/targets/0.js",
        "runs": "data/runs.js",
    }
    return run.id, {
        "files": float(sum(path.is_file() for path in gallery.rglob("*"))),
        "files_written_last_run": float(written(gallery, mark)),
        **{f"{name}_kB": round((gallery / path).stat().st_size / 1000, 1) for name, path in files.items()},
    }


def one_poster(rounds: int) -> dict[str, float]:
    """Processor time in milliseconds to compare one poster of full size: equal, with a badge, and with other art."""
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:
        paths = {name: Path(folder) / f"{name}.webp" for name in ("bare", "badge", "other")}
        bare = poster("Heat", 3)
        badge = bare.copy()
        ImageDraw.Draw(badge).rounded_rectangle((40, 60, 340, 180), 20, fill="gold")
        for name, image in (("bare", bare), ("badge", badge), ("other", poster("Dark", 9))):
            image.save(paths[name], "WEBP", quality=90)
        found = {}
        for name, path in paths.items():
            times = []
            for _ in range(rounds):
                start = time.process_time()
                compare(paths["bare"], path)
                times.append(time.process_time() - start)
            found[f"compare_{name}_cpu_ms"] = round(min(times) * 1000, 1)
        return found


def seen(pages: dict[str, dict[str, float]]) -> dict[str, float]:
    """What Chromium said of the page of all targets, and its ratio to that of a few."""
    if not pages:
        print("no Chromium: pages are not opened")
        return {}
    found = {"page_elements": pages["all"]["elements"]}
    for key in ("html", "bytes"):
        found[f"page_{key}_kB"] = round(pages["all"][key] / 1000, 1)
    for key in ("paint", "ready", "load", "open"):
        mine, other = pages["all"][key], pages["few"][key]
        print(f"page {key:10} {mine:.0f} ms, of {FEW} targets {other:.0f} ms")
        found |= {f"page_{key}_ms": round(mine, 1), f"page_{key}_ratio": round(mine / other, 2)}
    return found


async def measure(targets: int, runs: int, rounds: int) -> dict[str, float]:
    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="ks-") as folder, tempfile.TemporaryDirectory(prefix="ks-") as small:
        async with open_desk(Path(folder)) as desk:
            last, found = await history(desk, targets, runs, watch)
        async with open_desk(Path(small)) as desk:
            few, _ = await history(desk, FEW, 2, Watch())
        pages = {"all": (Path(folder) / "gallery", f"runs/{last}/index.html"), "few": (Path(small) / "gallery", f"runs/{few}/index.html")}
        found |= seen(await asyncio.to_thread(visits, pages, rounds))
    ends = max(1, min(5, (runs - 1) // 2))
    for name in ("publish run", "compare run", "publish review"):
        last, growth = watch.ends(name, ends)
        print(f"{name:15} last {ends}: {last:.2f} s, grown to {growth:.2f} times the first")
        key = name.replace(" ", "_")
        found |= {f"{key}_s": round(last, 3), f"{key}_growth": round(growth, 2)}
    for name in ("approve all", "show approvals"):
        print(f"{name:15} {watch.times[name][0]:.2f} s")
        found[f"{name.replace(' ', '_')}_s"] = round(watch.times[name][0], 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    targets, runs = (100, 10) if quick else (500, 50)
    print(f"{targets} targets, {runs} runs")
    found = asyncio.run(measure(targets, runs, 3 if quick else 7)) | one_poster(3 if quick else 7)
    print(json.dumps({"targets": targets, "runs": runs, **found}))


if __name__ == "__main__":
    main()
