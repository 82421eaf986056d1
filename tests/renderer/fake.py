"""The least that a Kometa is to the worker: kometa.py with run_args and start(), modules.logs.MyLogger, modules.util.logger.

What a run does is Python text in ``config.yml``, so that each test can have Kometa do what it is about.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

KOMETA = """
import argparse
import os
import sys
import requests
from modules.logs import MyLogger
parser = argparse.ArgumentParser()
for name in ("run", "overlays-only", "read-only-config", "ignore-ghost"):
    parser.add_argument(f"--{name}", *(["-r"] if name == "run" else []), action="store_true")
parser.add_argument("--timeout", type=int, default=180)
parser.add_argument("--config")
parser.add_argument("--run-collections")
args, unknown = parser.parse_known_args()
run_args = {name.replace("_", "-"): value for name, value in vars(args).items()}
if not os.path.exists(run_args["config"]):
    print("Config Error: Configuration file (config.yml) not found")
    sys.exit(0)
default_dir = os.path.dirname(os.path.abspath(run_args["config"]))
logger = MyLogger("Kometa", default_dir)
from modules import util
util.logger = logger
from modules import work

def process(attrs):
    raise AssertionError("a worker calls start() itself")

def start(attrs):
    logger.add_main_handler()
    logger.separator("Starting Run")
    names = {"work": work, "logger": logger, "attrs": attrs, "run_args": run_args, "os": os, "sys": sys}
    with open(run_args["config"]) as handle:
        exec(compile(handle.read(), "config.yml", "exec"), names)
    logger.separator("Finished Run\\nVersion: 1")

if __name__ == "__main__":
    process({})
"""

LOGS = """
import logging
import os
from logging.handlers import RotatingFileHandler

def loud(record):
    record.levelname = f"[{record.levelname}]"
    record.filename = f"[{record.filename}:{record.lineno}]"
    return True

class MyLogger:
    def __init__(self, name, default_dir):
        self.log_dir = os.path.join(default_dir, "logs")
        os.makedirs(self.log_dir, exist_ok=True)
        self._logger = logging.getLogger(name)
        self._logger.setLevel(logging.DEBUG)
        self._logger.addHandler(logging.StreamHandler())
    def add_main_handler(self):
        handler = RotatingFileHandler(os.path.join(self.log_dir, "meta.log"), delay=True, mode="w", encoding="utf-8")
        handler.addFilter(loud)
        self._logger.addHandler(handler)
    def separator(self, text):
        self.info("|" + "=" * 20 + "|")
        for line in text.split("\\n"):
            self.info(f"| {line:^18} |")
    def debug(self, text):
        self._logger.debug(text)
    def info(self, text):
        self._logger.info(text)
    def warning(self, text):
        self._logger.warning(text)
    def error(self, text):
        self._logger.error(text)
    def critical(self, text):
        self._logger.critical(text)
"""

WORK = """
import os
from modules import util
logger = util.logger
loaded_by = os.getpid()
def say(text):
    logger.info(text)
"""


def make_kometa(home: Path, version: str = "0.1-fake", **modules: str) -> Path:
    """Write a Kometa into ``home``; more ``modules`` by name and text. Of a version that nobody knows, unless told otherwise."""
    (home / "modules").mkdir(parents=True)
    (home / "fonts").mkdir()
    files = {"kometa.py": KOMETA, "VERSION": f"{version}\n", "PART": "\n", "requirements.txt": "requests\n"}
    files |= {"modules/__init__.py": "", "modules/logs.py": LOGS, "modules/util.py": "logger = None\n", "modules/work.py": WORK}
    files |= {f"modules/{name}.py": text for name, text in modules.items()}
    for name, text in files.items():
        (home / name).write_text(dedent(text))
    return home


def make_shard(home: Path, script: str = "") -> Path:
    """A shard's working directory whose run executes ``script``."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.yml").write_text(dedent(script))
    return home
