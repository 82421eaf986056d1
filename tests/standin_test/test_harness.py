"""The harness: reading Kometa's log, the environment of a cold run, and why tests are skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cold import SITE, STANDIN_INSTALL, environment, lay_out, parse_log
from tests.conftest import real_install, skip_line

LOG = """\
[2026-11-21 01:20:22,493] [kometa.py:151]             [INFO]     |=====================|
[2026-11-21 01:20:22,595] [overlays.py:18]            [ERROR]    |   Overlay Error: No poster found    |
                                                                 |   Overlays Attempted on Heat: one   |
[2026-11-21 01:20:22,600] [kometa.py:187]             [CRITICAL] | Config Error: No libraries were found in config |
"""


def test_log_lines_are_joined_with_their_continuations() -> None:
    rule, error, critical = parse_log(LOG)
    assert rule.level == "INFO"
    assert (error.level, error.source) == ("ERROR", "overlays.py:18")
    assert error.text == "Overlay Error: No poster found\nOverlays Attempted on Heat: one"
    assert critical.text == "Config Error: No libraries were found in config"


def test_a_cold_run_inherits_no_kometa_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOMETA_PLEX_TOKEN", "secret")
    assert not [name for name in environment(tmp_path, {}) if name.startswith("KOMETA")]


def test_layout_copies_the_config_and_sets_plex(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.yml").write_text("plex:\n  url: http://192.0.2.1:32400\n  token: mine\n  timeout: 7\n", encoding="utf-8")
    file = lay_out(source, STANDIN_INSTALL, tmp_path / "run", ("http://127.0.0.1:1", "given"))
    assert "http://127.0.0.1:1" in file.read_text(encoding="utf-8")
    assert "timeout: 7" in file.read_text(encoding="utf-8")
    assert "192.0.2.1" in (source / "config.yml").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "fonts").resolve() == (STANDIN_INSTALL.home / "fonts").resolve()


PROGRAM = """
import http.server, json, sys, threading
import requests

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
mapped = requests.get("https://api.example.org/3/x?a=1%2F2")
plain = requests.get(f"http://127.0.0.1:{sys.argv[1]}/direct")
try:
    requests.get("https://elsewhere.example.org/")
except requests.ConnectionError as error:
    refused = str(error)
print(json.dumps([mapped.url, mapped.request.url, mapped.text, plain.text, refused]))
server.shutdown()
"""


def test_other_hosts_are_led_to_stand_ins_or_refused(tmp_path: Path, unused_tcp_port: int) -> None:
    hosts = {"api.example.org": f"http://127.0.0.1:{unused_tcp_port}/api.example.org"}
    program = [sys.executable, "-c", PROGRAM, str(unused_tcp_port)]
    done = subprocess.run(program, env=environment(tmp_path, hosts), capture_output=True, text=True, timeout=60, check=True)
    url, request_url, mapped, plain, refused = json.loads(done.stdout)
    assert url == request_url == "https://api.example.org/3/x?a=1%2F2"
    assert mapped == "/api.example.org/3/x?a=1%2F2"
    assert plain == "/direct"
    assert "elsewhere.example.org" in refused


def test_without_hosts_nothing_is_redirected() -> None:
    code = "import requests.adapters as a; print(a.HTTPAdapter.send.__module__)"
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SITE)}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "requests.adapters"


def test_skips_are_counted_by_reason() -> None:
    reasons = Counter({"KOMETA_HOME is not set": 9, "no Docker daemon": 3})
    assert skip_line(reasons) == "skipped 12: 9 KOMETA_HOME is not set; 3 no Docker daemon"
    assert skip_line(Counter()) == "skipped 0"


def test_why_there_is_no_real_kometa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KOMETA_PYTHON", raising=False)
    monkeypatch.delenv("KOMETA_HOME", raising=False)
    assert real_install() == "KOMETA_HOME is not set"
    monkeypatch.setenv("KOMETA_HOME", str(tmp_path))
    assert real_install() == "KOMETA_HOME has no kometa.py"
    (tmp_path / "kometa.py").touch()
    monkeypatch.setenv("KOMETA_PYTHON", str(tmp_path / "python"))
    assert real_install() == "KOMETA_PYTHON has no Kometa requirements"
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    assert real_install() == "KOMETA_PYTHON has no Kometa requirements"
