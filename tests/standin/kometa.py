"""A stand-in for Kometa (see README.md): same command line, same habits, none of its code or pixels.

Importing this module parses the command line, makes the logger in the config directory and patches
``requests.Session.send``; ``start(attrs)`` is one run.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import uuid
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path

from modules.logs import MyLogger

try:
    import plexapi
    import requests
    import ruamel.yaml  # noqa: F401  # asked for here, so that what is missing is named before anything else happens
    from PIL import ImageFile
except ImportError as error:
    sys.stdout.write(f"Requirements Error: Requirements are not installed. ({error})\n")
    sys.exit(0)

HERE = Path(__file__).parent.absolute()
FLAG, TEXT, NUMBER = "flag", "text", "number"
ARGUMENTS = {
    "config": (TEXT, ["c"], None),
    "run": (FLAG, ["r"], False),
    "tests": (FLAG, ["ts", "rt", "test", "run-test", "run-tests"], False),
    "debug": (FLAG, ["db"], False),
    "trace": (FLAG, ["tr"], False),
    "log-requests": (FLAG, ["lr", "log-request"], False),
    "timeout": (NUMBER, ["ti"], 180),
    "no-verify-ssl": (FLAG, ["nv"], False),
    "collections-only": (FLAG, ["co", "collection-only"], False),
    "metadata-only": (FLAG, ["mo", "metadatas-only"], False),
    "playlists-only": (FLAG, ["po", "playlist-only"], False),
    "operations-only": (FLAG, ["op", "operation", "operations", "lo", "library-only", "libraries-only", "operation-only"], False),
    "overlays-only": (FLAG, ["ov", "overlay", "overlays", "overlay-only"], False),
    "run-libraries": (TEXT, ["rl", "l", "library", "libraries", "run-library"], None),
    "ignore-schedules": (FLAG, ["is"], False),
    "ignore-ghost": (FLAG, ["ig"], False),
    "read-only-config": (FLAG, ["ro"], False),
    "divider": (TEXT, ["d"], "="),
    "width": (NUMBER, ["w"], 100),
    "low-priority": (FLAG, ["lp"], False),
    "validate": (FLAG, ["va", "validate-config"], False),
    "validate-level": (TEXT, ["vl"], "structure"),
    "validate-schema": (FLAG, ["vs", "validate-schemas"], False),
}
"""Option: kind, other names, default. Each can come from the environment too: KOMETA_OVERLAYS_ONLY=true."""


def read_arguments() -> dict:
    """Options by name; unknown ones are passed over."""
    parser = argparse.ArgumentParser()
    for name, (kind, others, default) in ARGUMENTS.items():
        flags = [f"--{name}", *(f"--{other}" if len(other) > 2 else f"-{other}" for other in others)]
        if kind == FLAG:
            parser.add_argument(*flags, dest=name, action="store_true", default=default)
        else:
            parser.add_argument(*flags, dest=name, type=int if kind == NUMBER else str, default=default)
    given = vars(parser.parse_known_args()[0])
    for name, (kind, others, _) in ARGUMENTS.items():
        for variable in (f"KOMETA_{each.replace('-', '_').upper()}" for each in [name, *others] if len(each) > 2):
            if value := os.environ.get(variable):
                given[name] = value.lower() in ("t", "true") if kind == FLAG else int(value) if kind == NUMBER else value
                break
    return given


def first_line(file: Path) -> str:
    """The first line of ``file`` that is not blank."""
    with file.open(encoding="utf-8") as lines:
        return next((line.strip() for line in lines if line.strip()), "")


run_args = read_arguments()
default_dir = str(HERE / "config")
if run_args["config"] and not Path(run_args["config"]).exists():
    sys.stdout.write(f"Config Error: Configuration file (config.yml) not found at {Path(run_args['config']).absolute()}\n")
    sys.exit(0)
elif run_args["config"]:
    default_dir = str(Path(run_args["config"]).absolute().parent)
elif not Path(default_dir, "config.yml").exists():
    sys.stdout.write(f"Config Error: Please save {Path(default_dir, 'config.yml')} before running again.\n")
    sys.exit(1)

logger = MyLogger(
    "Kometa",
    default_dir,
    run_args["width"] if 90 <= run_args["width"] <= 300 else 100,
    run_args["divider"][0],
    run_args["ignore-ghost"],
    run_args["tests"] or run_args["debug"],
    run_args["trace"],
    run_args["log-requests"],
)

from modules import util  # noqa: E402  # the modules take the logger while they are imported

util.logger = logger
from modules.builder import CollectionBuilder  # noqa: E402, F401  # as in Kometa, it is imported first
from modules.config import ConfigFile  # noqa: E402
from modules.request import Requests  # noqa: E402

old_send = requests.Session.send


def new_send(*args, **kwargs):
    """Every request has a timeout."""
    if kwargs.get("timeout") is None:
        kwargs["timeout"] = run_args["timeout"]
    return old_send(*args, **kwargs)


requests.Session.send = new_send

local_version = first_line(HERE / "VERSION")
local_part = first_line(HERE / "PART")

uuid_file = Path(default_dir, "UUID")
uuid_num = first_line(uuid_file) if uuid_file.exists() else ""
if not uuid_num:
    uuid_num = str(uuid.uuid4())
    uuid_file.write_text(uuid_num, encoding="utf-8")

plexapi.BASE_HEADERS["X-Plex-Client-Identifier"] = uuid_num
plexapi.BASE_HEADERS["X-Plex-Provides"] = "sync"
plexapi.BASE_HEADERS["X-Plex-Product"] = "Kometa"

ImageFile.LOAD_TRUNCATED_IMAGES = True


def process(attrs) -> None:
    """A run in a child of its own. Nobody asks how it went: the exit code is 0 whatever happens."""
    with ProcessPoolExecutor(max_workers=1) as executor:
        executor.submit(start, attrs)


def start(attrs) -> None:
    """One run, from banner to "Finished Run"."""
    try:
        logger.add_main_handler()
        logger.separator()
        logger.info("")
        logger.info_center("A stand-in for Kometa")
        logger.info("")
        web = Requests(local_version, local_part, "master", None, verify_ssl=not run_args["no-verify-ssl"])
        logger.info(f"    Version: {web.local} (Python {platform.python_version()}) (Branch: {web.branch})")
        if web.newest:
            logger.info(f"    Newest Version: {web.newest}")
        logger.info(f"    Platform: {platform.platform()}")
        started = datetime.now().astimezone()
        attrs.setdefault("time", started.strftime("%H:%M"))
        attrs["time_obj"] = started
        attrs["config_file"] = run_args["config"]
        attrs["read_only"] = run_args["read-only-config"]
        attrs["overlays_only"] = run_args["overlays-only"]
        logger.separator(debug=True)
        logger.debug(f"Run Command: {' '.join(sys.argv)}")
        for name in ARGUMENTS:
            logger.debug(f"--{name} (KOMETA_{name.replace('-', '_').upper()}): {run_args[name]}")
        logger.separator(debug=True)
        if run_args["validate"]:
            validate(web, attrs)
        logger.separator("Starting Run")
        try:
            config = ConfigFile(web, default_dir, attrs, {})
        except Exception as error:  # noqa: BLE001  # as Kometa: the run ends, the program does not
            give_up(error)
        else:
            run_libraries(config)
        finish(started, web)
    except Exception as error:  # noqa: BLE001  # likewise
        give_up(error)


def give_up(error: Exception) -> None:
    logger.stacktrace()
    logger.critical(error)


def validate(web, attrs) -> None:
    """Report on the config and leave: 0 where it passed, else 1, which the pool swallows."""
    from modules.validator import LEVELS, ConfigValidator

    level = run_args["validate-level"]
    if level not in LEVELS:
        logger.error(f"--validate-level must be syntax, structure, or full. Got: {level!r}")
        sys.exit(1)
    passed, _, _ = ConfigValidator(web, default_dir, attrs, {}, level=level, validate_schema=run_args["validate-schema"]).validate()
    sys.exit(0 if passed else 1)


def run_libraries(config) -> None:
    for library in config.libraries:
        try:
            logger.info("")
            logger.separator(f"{library.original_mapping_name} Library")
            library.map_guids(library.cache_items())
            others = ("collections-only", "metadata-only", "operations-only", "playlists-only", "tests")
            if not any(run_args[name] for name in others) and (library.overlay_files or library.remove_overlays):
                library.Overlays.run_overlays()
        except Exception as error:  # noqa: BLE001  # as Kometa: the next library has its turn
            give_up(error)


def finish(started: datetime, web) -> None:
    """Count what went wrong, and say Finished Run."""
    log = Path(logger.main_log).read_text(encoding="utf-8").splitlines()
    for level in ("WARNING", "ERROR", "CRITICAL"):
        counts = Counter(line.split("|", 2)[1].strip() for line in log if f"[{level}]" in line)
        if counts:
            logger.separator(f"{level.capitalize()} Summary", space=False, border=False)
            logger.info("Count | Message")
            for text, count in counts.most_common():
                logger.info(f"{count:>5} | {text}")
    ended = datetime.now().astimezone()
    took = str(ended - started).split(".")[0]
    times = f"Start Time: {started:%H:%M:%S %Y-%m-%d}     Finished: {ended:%H:%M:%S %Y-%m-%d}     Run Time: {took}"
    logger.separator(f"Finished Run\nVersion: {web.local}\n{times}")
    logger.remove_main_handler()


if __name__ == "__main__":
    if run_args["run"] or run_args["tests"] or run_args["run-libraries"] or run_args["validate"]:
        process({"collections": None, "libraries": run_args["run-libraries"], "files": None})
    else:
        sys.stdout.write("The stand-in has no scheduler: run it with -r\n")
