"""What somebody inside the worker's container can reach, read and write, while Kometa renders there: nothing that matters."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.demo import DemoPlex
from sidecar.engine.docker_api import Docker
from tests.cold import KometaInstall
from tests.cold_demo import small_world
from tests.docker.image import ROOT
from tests.e2e.house import house
from tests.e2e.test_warm import config_of

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

SECRETS = ("s3cr3t-plex-token-PLANTED", "feedfacefeedfacefeedfacefeedface", "mdblist-PLANTED-key-000000")


def own_addresses() -> list[str]:
    """Every IPv4 address of this machine, Docker's bridge too."""
    told = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    return sorted({"127.0.0.1", "172.17.0.1", *(address for address in told if ":" not in address)})


def look_inside(container: str, wanted: dict[str, Any]) -> dict[str, Any]:
    program = (ROOT / "tests" / "docker" / "inside.py").read_text()
    command = ["docker", "exec", "-i", container, "python3", "-c", program]
    told = subprocess.run(command, input=json.dumps(wanted) + "\n", capture_output=True, text=True, check=False, timeout=120)
    assert told.returncode == 0, told.stderr
    report: dict[str, Any] = json.loads(told.stdout)
    return report


async def test_from_inside_there_is_no_way_out_and_nothing_to_take(
    kometa: KometaInstall, docker: Docker, image_of: Callable[[KometaInstall], str], tmp_path: Path, short_dir: Path
) -> None:
    config = config_of("custom", tmp_path / "config")
    text = (config / "config.yml").read_text().replace("apikey: demo", f"apikey: {SECRETS[1]}")
    (config / "config.yml").write_text(f"{text}\nmdblist:\n  apikey: {SECRETS[2]}\n")
    world = small_world(25)
    engine = {"kind": "container", "image": image_of(kometa), "kometa_home": None, "kometa_python": None, "shards": 1}
    async with (
        DemoPlex(world, token=SECRETS[0]) as plex,
        house(kometa, config, short_dir / "d", world=world, plex=plex, engine=engine) as home,
    ):
        await home.until(lambda: any(kind == "picture" for kind, _ in home.heard), 120)
        container = f"kometa-sidecar-worker-{(short_dir / 'd' / 'instance').read_text().split()[0]}"
        port = int(plex.url.rpartition(":")[2].strip("/"))
        addresses = [[address, port] for address in own_addresses()]
        addresses += [[address, 22] for address in own_addresses()]
        addresses += [["169.254.169.254", 80], ["8.8.8.8", 53], ["1.1.1.1", 443], ["::1", port], ["2606:4700:4700::1111", 443]]
        with socket.create_connection(("127.0.0.1", port)):
            pass  # from here it can be reached
        wanted = {"addresses": addresses, "names": ["plex.tv", "api.themoviedb.org", "host.docker.internal"], "secrets": SECRETS}
        during = await asyncio.to_thread(look_inside, container, wanted)
        assert home.ended == 0, "the render was over too soon for this test to say anything"
        run = await home.run("done")
        after = await asyncio.to_thread(look_inside, container, wanted)
        home.assert_plex_untouched()
    assert run.engine is not None
    for report in (during, after):
        # Nothing answers; and nothing even leaves, or it would be waited for.
        assert {attempt: came for attempt, came in report["reach"].items() if came == "reached" or came.startswith("TimeoutError")} == {}
        assert len(report["reach"]) == 2 * len(addresses) + 3
        assert report["found"] == []
        assert report["interfaces"] == ["lo"]
        assert report["routes"] == 0
        assert report["writes"] == []
        assert report["docker"] == []
        assert report["mounts"] == ["/cache", "/exchange/gateway", "/exchange/work", "/exchange/worker"]
        assert report["uid"] == (os.geteuid() or 65532)
        assert int(report["status"]["CapEff"], 16) == int(report["status"]["CapBnd"], 16) == 0
        assert (report["status"]["NoNewPrivs"], report["status"]["Seccomp"]) == ("1", "2")
        assert report["gateway"].split()[1] in ("401", "403")
    assert during["looked"]["processes"] >= 2, "the worker and a shard"
    assert during["looked"]["files"] > 10


async def test_what_the_search_is_worth(
    standin: KometaInstall, docker: Docker, image_of: Callable[[KometaInstall], str], tmp_path: Path, short_dir: Path
) -> None:
    """The same search does find what is there: the grant's file, and the worker's own memory."""
    config = config_of("custom", tmp_path / "config")
    engine = {"kind": "container", "image": image_of(standin), "kometa_home": None, "kometa_python": None, "shards": 1}
    async with house(standin, config, short_dir / "d", world=small_world(25), engine=engine) as home:
        await home.until(lambda: any(kind == "picture" for kind, _ in home.heard), 120)
        container = f"kometa-sidecar-worker-{(short_dir / 'd' / 'instance').read_text().split()[0]}"
        wanted = {"addresses": [], "names": [], "secrets": ["X-Plex-Token", "overlay_files"]}
        report = await asyncio.to_thread(look_inside, container, wanted)
    assert any(place.startswith("/exchange/work/") for place in report["found"])
    assert any(place.startswith("/proc/") for place in report["found"]) or report["looked"]["memory"] == 0
