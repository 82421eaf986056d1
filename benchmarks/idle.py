"""What the daemon and its worker cost while nobody edits anything.

    KOMETA_HOME=... KOMETA_PYTHON=... python -m benchmarks.idle [--minutes 10] [--threads] [--quick]

The daemon runs on the demo's Plex (in this process: not counted), renders once, and is then left alone; without a real Kometa
the tests' stand-in draws. CPU is user and system time from /proc/PID/stat, memory from smaps_rollup at the end (PSS: pages
that the worker shares with others count by their share), wake-ups are voluntary context switches. The last line is one JSON
object: minutes, kometa (real or standin), then for daemon and worker cpu_seconds, cpu_percent (of one core), rss_mib, pss_mib,
wakeups_per_second. ``--threads`` names the threads that woke up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sidecar.demo import DemoHosts, DemoPlex, World
from tests.cold import STANDIN_INSTALL
from tests.conftest import real_install

TICK: Final = os.sysconf("SC_CLK_TCK")
REST: Final = 15.0
"""Seconds after the first render, for what is put off until after it."""
SAMPLE: Final = Path(__file__).parents[1] / "config" / "kometa"


@dataclass(frozen=True, slots=True)
class Use:
    """What some processes had used so far."""

    cpu: float
    switches: int
    threads: dict[str, int]


def use_of(pids: list[int]) -> Use:
    """CPU seconds and voluntary context switches of all their threads; what ended meanwhile counts no more."""
    cpu, threads = 0.0, {}
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / TICK
        for task in Path(f"/proc/{pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text(errors="replace").splitlines() if ":\t" in line)
            threads[f"{pid}/{task.name} {status['Name']}"] = int(status["voluntary_ctxt_switches"])
    return Use(cpu, sum(threads.values()), threads)


def memory_of(pids: list[int]) -> tuple[float, float]:
    """RSS and PSS in MiB."""
    rss = pss = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return rss / 1024, pss / 1024


def below(pid: int) -> Iterator[int]:
    """The processes that ``pid`` started, and theirs."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text(errors="replace").rpartition(") ")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            yield int(path.parent.name)
            yield from below(int(path.parent.name))


def report(before: Use, after: Use, pids: list[int], seconds: float) -> dict[str, float]:
    rss, pss = memory_of(pids)
    return {
        "cpu_seconds": round(after.cpu - before.cpu, 3),
        "cpu_percent": round(100 * (after.cpu - before.cpu) / seconds, 3),
        "rss_mib": round(rss, 1),
        "pss_mib": round(pss, 1),
        "wakeups_per_second": round((after.switches - before.switches) / seconds, 2),
    }


async def measure(minutes: float, *, threads: bool) -> dict[str, Any]:
    found = real_install()
    kometa = STANDIN_INSTALL if isinstance(found, str) else found
    world = World.sample()
    scratch = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
    try:
        shutil.copytree(SAMPLE, scratch / "config")
        async with DemoPlex(world) as plex, DemoHosts(world) as hosts:
            env = {
                **{name: value for name, value in os.environ.items() if not name.startswith("KOMETA")},
                "KOMETA_PLEX_URL": plex.url,
                "KOMETA_PLEX_TOKEN": plex.token,
                "KOMETA_TMDB_APIKEY": "0" * 32,
                "KOMETA_HOME": str(kometa.home),
                "KOMETA_PYTHON": str(kometa.python),
                "KOMETA_SIDECAR_GATEWAY__HOST_MAP": json.dumps(hosts.map),
            }
            command = [sys.executable, "-m", "sidecar", "run", str(scratch / "config"), "--data", str(scratch / "data"), "--port", "0"]
            daemon = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE)
            assert daemon.stderr is not None
            try:
                async with asyncio.timeout(300):
                    while b": done in " not in (line := await daemon.stderr.readline()):
                        assert line, "the daemon ended"
                await asyncio.sleep(REST)
                return {
                    "minutes": minutes,
                    "kometa": kometa.kind,
                    **await watch(daemon.pid, minutes * 60, threads=threads),
                    "plex_requests": len(plex.requests),
                }
            finally:
                daemon.terminate()
                await daemon.communicate()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def watch(pid: int, seconds: float, *, threads: bool) -> dict[str, Any]:
    workers = sorted(below(pid))
    begun = time.monotonic()
    before = {name: use_of(pids) for name, pids in (("daemon", [pid]), ("worker", workers))}
    await asyncio.sleep(seconds)
    spent = time.monotonic() - begun
    after = {name: use_of(pids) for name, pids in (("daemon", [pid]), ("worker", workers))}
    if threads:
        for name in before:
            woke = {thread: count - before[name].threads.get(thread, 0) for thread, count in after[name].threads.items()}
            for thread, count in sorted(woke.items(), key=lambda item: -item[1]):
                print(f"{name:7} {count / spent:8.2f}/s  {thread}")
    return {name: report(before[name], after[name], pids, spent) for name, pids in (("daemon", [pid]), ("worker", workers))}


def main() -> None:
    parser = argparse.ArgumentParser(description="What the daemon costs while nobody edits.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one minute")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(1.0 if options.quick else options.minutes, threads=options.threads))))


if __name__ == "__main__":
    main()
