"""What sidecar.yml may say. Each field's description is the remedy a person reads when its value is refused."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from sidecar.schedule import cron, zone_of
from sidecar.settings.base import Bytes, Port, Seconds, UserPath, a_host, askable
from sidecar.settings.base import Section as _Section
from sidecar.settings.notifications import Destination, HookSettings

Network = Annotated[str, AfterValidator(lambda text: str(ipaddress.ip_network(text, strict=False)))]
"""An address is a network of one."""


class Web(_Section):
    """The gallery's own server."""

    host: Annotated[str, AfterValidator(a_host)] = Field(
        "127.0.0.1", description="An address of this machine to listen on: 127.0.0.1, or 0.0.0.0 for all.", min_length=1
    )
    port: Port = Field(8420, description="A port number, 0 to 65535; 0 takes a free one.")
    token: SecretStr | None = Field(
        None,
        description="At least 12 characters; without one only this machine gets in.",
        min_length=12,
    )
    base_url: Annotated[str, AfterValidator(askable)] = Field(
        "",
        description="Where people reach the gallery, like https://kometa.example/preview; used in links and notifications.",
        pattern=r"^(https?://[^\s?#]+)?$",
    )
    base_path: str = Field(
        "",
        description="The path that a reverse proxy serves the gallery below, like /preview; by default that of base_url.",
        pattern=r"^(/[A-Za-z0-9._~-]+)*/?$",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (),
        description="A list of reverse proxies whose X-Forwarded-* headers are believed: addresses, or networks like 172.18.0.0/16.",
    )

    @model_validator(mode="after")
    def _open_door(self) -> Self:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(f"web.host {self.host} lets other machines in, and web.token is not set")
        return self


class EngineSettings(_Section):
    """Who draws."""

    kind: Literal["auto", "process", "socket", "container", "draft"] = Field(
        "auto",
        description="auto (a Kometa found on this host, else a worker that is there, else draft if fallback allows), process, socket, "
        "container, or draft.",
    )
    kometa_home: UserPath | None = Field(None, description="The directory that holds kometa.py.")
    kometa_python: UserPath | None = Field(None, description="The Python that Kometa's requirements are installed in.")
    layout: Literal["auto", "raqm", "basic"] = Field(
        "auto",
        description="auto (as that Python does by itself), raqm, or basic (as in the official container image).",
    )
    exchange: UserPath | None = Field(
        None, description="The directory shared with a worker that runs elsewhere (socket, container); by default DATA/exchange."
    )
    socket: UserPath | None = Field(None, description="The worker's unix socket; by default EXCHANGE/worker/worker.sock.")
    image: str = Field(
        "kometa-sidecar-worker:v2.4.4", description="The worker's image (engine container): name and tag.", pattern=r"^[\w./:@-]+$"
    )
    pull: bool = Field(False, description="true or false: whether an image that is not here is pulled.")
    docker: str | None = Field(
        None,
        description="Where Docker answers, like unix:///run/docker.sock; by default DOCKER_HOST, else /var/run/docker.sock.",
        pattern=r"^(unix|tcp|http|https)://.+",
    )
    container_memory: Bytes = Field(4 * 1024**3, description="Bytes (or 4GiB) of memory for the worker's container as a whole.")
    pids: int = Field(256, ge=32, le=32768, description="How many processes and threads the worker's container may have.")
    cpus: float | None = Field(None, gt=0, le=1024, description="How many cores the worker's container may use; by default one per shard.")
    deadline: Seconds = Field(300.0, description="Seconds (or 5m) after which a render is ended.")
    phase_deadline: Seconds = Field(120.0, description="Seconds (or 2m) without any progress after which one of the Kometas is ended.")
    memory: Bytes = Field(2 * 1024**3, description="Bytes (or 2GiB) that one of the Kometas at work may take before it is ended.")
    shards: int | None = Field(None, ge=1, le=64, description="How many Kometas work at once; by default one per core, at most 8.")
    fallback: bool = Field(True, description="true or false: whether engine auto may use draft when there is no Kometa.")

    @property
    def shard_count(self) -> int:
        """``shards``, or one per core that this process may use (an LXC container has few of its host's) and at most 8."""
        return self.shards or min(8, len(os.sched_getaffinity(0)))


class TargetSpec(_Section):
    """One item to preview: by rating key, by GUID, or by title (and year, season, episode)."""

    rating_key: int | None = Field(None, ge=1, description="Plex's number of the item.")
    guid: str | None = Field(
        None, description="Like imdb://tt0113277, tmdb://949, tvdb://121361 or plex://movie/...", pattern=r"^[a-z0-9.\-]+://.+"
    )
    title: str | None = Field(None, min_length=1, description="The title as in Plex; of a season or episode: the show's title.")
    year: int | None = Field(None, ge=1800, le=3000, description="The year of release.")
    season: int | None = Field(None, ge=0, description="The season's number; 0 is Specials.")
    episode: int | None = Field(None, ge=0, description="The episode's number; needs season.")
    library: str | None = Field(None, min_length=1, description="The library's name in Plex.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        given = [name for name in ("rating_key", "guid", "title") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a target needs one of rating_key, guid or title; this has {' and '.join(given) or 'none'}")
        if self.episode is not None and self.season is None:
            raise ValueError("episode needs season")
        return self


class TargetSettings(_Section):
    """What is previewed."""

    per_library: int = Field(
        8, ge=0, le=500, description="How many items of each library are chosen by themselves; 0 for the listed ones only."
    )
    libraries: tuple[str, ...] = Field(
        (), description="A list of names of the libraries to preview; empty for all that have overlay files."
    )
    listed: tuple[TargetSpec, ...] = Field((), alias="list", description="A list of targets, each with rating_key, guid or title.")
    seasons: bool | Annotated[int, Field(ge=0, le=500)] = Field(
        True,
        description="true (where the config has season overlays), false, or how many.",
    )
    episodes: bool | Annotated[int, Field(ge=0, le=500)] = Field(
        True,
        description="true (where the config has episode overlays), false, or how many.",
    )


class WatchSettings(_Section):
    """How edits are noticed."""

    mode: Literal["auto", "native", "polling"] = Field("auto", description="auto, native (inotify), or polling (for NFS and SMB).")
    settle_closed: Seconds = Field(0.1, description="Seconds of quiet after a save that closed or renamed the file.")
    settle_written: Seconds = Field(0.5, description="Seconds of quiet after any other write.")
    settle_most: Seconds = Field(5.0, description="Seconds after which a render starts even though writes go on.")
    rescan: Seconds = Field(60.0, description="Seconds between looks at all files, for events that got lost.")
    poll_interval: Seconds = Field(1.0, description="Seconds between looks when polling.")


class LimitSettings(_Section):
    """What one revision may hold."""

    file_size: Bytes = Field(64 * 1024**2, description="Bytes (or 64MiB) of one file.")
    total_size: Bytes = Field(1024**3, description="Bytes (or 1GiB) of all files together.")
    files: int = Field(20_000, ge=1, description="How many files.")


class GatewaySettings(_Section):
    """What stands between Kometa and everything else."""

    tcp_port: Port | None = Field(None, description="A port on 127.0.0.1 for a stock Kometa; none by default.")
    extra_hosts: tuple[str, ...] = Field(
        (), description="A list of host names that overlays may be fetched from, beside those the config names."
    )
    private_hosts: tuple[str, ...] = Field(
        (),
        description="A list of hosts on private addresses, as config.yml names its radarr, sonarr and tautulli: radarr.lan, 192.168.1.10, "
        "fd00::10; only reads that overlays need reach them.",
    )
    cache_dir: UserPath | None = Field(None, description="A directory for other hosts' answers; by default DATA/cache.")
    cache_ttl: Seconds = Field(86_400.0, description="Seconds (or 24h) for which other hosts' answers are kept; pictures for 30 days.")
    mode: Literal["live", "record", "replay"] = Field(
        "live", description="live; record, to keep every answer of other hosts; or replay, to use the kept ones and ask nobody."
    )
    recording: UserPath | None = Field(None, description="The directory of record and replay.")
    host_map: dict[str, Annotated[str, AfterValidator(askable)]] = Field(
        default_factory=dict,
        description="Host name to the http:// address asked instead of it: for tests and the demo.",
    )

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if (self.mode == "live") != (self.recording is None):
            raise ValueError("gateway.recording names the directory for mode record or replay, and mode live has none")
        return self


def _cron(value: str) -> str:
    if value in ("", "off"):
        return ""
    cron(value)
    return value


Cron = Annotated[str, BeforeValidator(lambda value: "" if value in (None, False) else value), AfterValidator(_cron)]
"""``minute hour day month weekday`` as in crontab, or ``off`` (which YAML may read as false)."""

_CRON_WORDS = "minute hour day month weekday as in crontab, like '30 4 * * *', or off"


class ScheduleSettings(_Section):
    """What is done by itself, and when."""

    time_zone: str = Field("", description="A name like Europe/Berlin; by default this machine's time zone.")
    drift: Cron = Field("30 4 * * *", description=f"{_CRON_WORDS}: a render without an edit, to show what changed in Plex.")
    retention: Cron = Field("10 * * * *", description=f"{_CRON_WORDS}: old runs and what only they held are removed.")
    cache: Cron = Field("20 5 * * *", description=f"{_CRON_WORDS}: kept answers that nobody used for long are removed.")
    maintenance: Cron = Field("40 5 * * *", description=f"{_CRON_WORDS}: the database is checked, tidied and backed up.")
    health: Cron = Field("*/5 * * * *", description=f"{_CRON_WORDS}: can the data directory be written, is the worker there?")
    backups: int = Field(7, ge=0, le=1000, description="How many of the nightly backups of the database are kept.")

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        zone_of(value)
        return value

    @property
    def jobs(self) -> dict[str, str]:
        """Job -> cron expression, empty where it is off."""
        return {name: getattr(self, name) for name in ("drift", "retention", "cache", "maintenance", "health")}


Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Region = tuple[int, int, Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
_REGIONS = "A list of [x, y, width, height] on Kometa's canvas (posters 1000 x 1500, episodes 1920 x 1080)"


class ReviewRule(_Section):
    """What counts as a change of some targets; without library, level, rating_key and title: of all."""

    library: str = Field("", description="The library's name in Plex.")
    level: Literal["movie", "show", "season", "episode", "artist", "album", "track"] | None = Field(
        None, description="movie, show, season, episode, artist, album or track."
    )
    rating_key: int | None = Field(None, ge=1, description="Plex's number of the item.")
    title: str = Field("", description="The title as in Plex, of an episode its show's too; * and ? stand for any characters.")
    threshold: Percent | None = Field(None, description="Percent of the pixels (0 to 100) that may differ and still be no change.")
    ignore: tuple[Region, ...] = Field((), description=f"{_REGIONS} that are not compared, for data that changes by itself.")
    ignore_overlays: tuple[str, ...] = Field(
        (), description="A list of names of overlays (with * and ?) whose places are not compared, where Kometa tells them."
    )


class ReviewSettings(_Section):
    """What counts as a change of a picture."""

    threshold: Percent = Field(0.01, description="Percent of a picture's pixels (0 to 100) that may differ and still be no change.")
    sensitivity: float = Field(0.1, gt=0, le=1, description="How far colours may lie apart and be the same: above 0, to 1 (anything).")
    rules: tuple[ReviewRule, ...] = Field((), description="A list of exceptions; the last one that fits and has a threshold decides.")


class RetentionSettings(_Section):
    """How long runs are kept. The newest good one and every baseline are kept in any case."""

    runs: int = Field(300, ge=1, le=100_000, description="How many runs are kept.")
    age: Seconds | None = Field(None, description="Seconds (or 90d) after which a run is removed; by default never.")
    size: Bytes | None = Field(5 * 1024**3, description="Bytes (or 5GiB) of pictures, beyond which the oldest runs are removed.")


class LogSettings(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error.")
    format: Literal["readable", "json"] = Field("readable", description="readable or json.")


class Settings(_Section):
    """All of sidecar.yml."""

    data: UserPath = Field(description="The directory for the gallery, pictures and state; it must be writable.")
    web: Web = Field(default_factory=lambda: Web.model_validate({}))
    engine: EngineSettings = Field(default_factory=lambda: EngineSettings.model_validate({}))
    targets: TargetSettings = Field(default_factory=lambda: TargetSettings.model_validate({}))
    watch: WatchSettings = Field(default_factory=lambda: WatchSettings.model_validate({}))
    limits: LimitSettings = Field(default_factory=lambda: LimitSettings.model_validate({}))
    roots: tuple[UserPath, ...] = Field((), description="A list of directories that links in the Kometa config may lead into.")
    path_map: dict[str, UserPath] = Field(
        default_factory=dict,
        description="Kometa's path to this machine's, like /assets: /mnt/user/assets, where Kometa itself runs in a container.",
    )
    gateway: GatewaySettings = Field(default_factory=lambda: GatewaySettings.model_validate({}))
    notifications: tuple[Destination, ...] = Field((), description="A list of whom to tell, each with name and url.")
    hooks: HookSettings = Field(default_factory=lambda: HookSettings.model_validate({}))
    schedule: ScheduleSettings = Field(default_factory=lambda: ScheduleSettings.model_validate({}))
    review: ReviewSettings = Field(default_factory=lambda: ReviewSettings.model_validate({}))
    retention: RetentionSettings = Field(default_factory=lambda: RetentionSettings.model_validate({}))
    log: LogSettings = Field(default_factory=lambda: LogSettings.model_validate({}))

    @property
    def exchange(self) -> Path:
        """What sidecar and worker share where the worker runs elsewhere."""
        return self.engine.exchange or self.data.absolute() / "exchange"

    @property
    def worker_socket(self) -> Path:
        """Where such a worker listens, as this process sees it."""
        return self.engine.socket or self.exchange / "worker" / "worker.sock"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret among the settings, for the log's redaction."""
        hidden = (self.web.token, self.hooks.secret, *(secret for each in self.notifications for secret in each.secrets))
        return tuple(secret.get_secret_value() for secret in hidden if secret is not None)

    @field_validator("notifications")
    @classmethod
    def _names_differ(cls, value: tuple[Destination, ...]) -> tuple[Destination, ...]:
        names = [each.name for each in value]
        if doubled := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two destinations are called {doubled}")
        return value


def is_loopback(host: str) -> bool:
    """Whether ``host`` (an address or name to listen on) is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
