"""The worker as a process, around a small Kometa that does what each test says."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer.protocol import encode
from renderer.report import MAX_LINES
from renderer.speedups import VERIFIED
from tests.renderer.fake import make_kometa, make_shard
from tests.renderer.talk import ROOT, Talk, Worker, alive, gone, logs, worker


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    base = tmp_path_factory.mktemp("w")
    secrets = {"KOMETA_PLEXTOKEN": "secret-of-mine", "PLEX_TOKEN": "another-secret", "HOME": str(base), "LC_TIME": "C"}
    with worker(make_kometa(base / "k", VERIFIED[-1]), base, **secrets) as made:
        yield made


@pytest.fixture
def talk(running: Worker) -> Iterator[Talk]:
    talk = running.talk()
    yield talk
    for made in running.talks:
        made.close()
    running.talks.clear()


def test_hello_says_who_draws(talk: Talk, running: Worker) -> None:
    hello = talk.hello
    assert hello["kometa"] == VERIFIED[-1]
    assert hello["pid"] == running.process.pid
    assert hello["layout"] in ("raqm", "basic")
    assert hello["network"] in ("none", "refused")
    assert hello["speedups"]["preload"] == "on"
    assert hello["speedups"]["template_loop"] == "off: modules.meta is not loaded"


def test_an_unknown_version_has_no_speed_up_at_all(short_dir: Path, tmp_path: Path) -> None:
    """Not even its modules are imported ahead: what nobody compared runs as ``kometa.py`` would."""
    with worker(make_kometa(tmp_path / "k"), short_dir) as made:
        talk = made.talk()
        assert set(talk.hello["speedups"].values()) == {"off: not verified with Kometa 0.1-fake"}
        assert {"preload", "template_memo", "pictures", "log_relief"} <= set(talk.hello["speedups"])
        messages = talk.run(make_shard(tmp_path / "a", "work.say(f'loaded here: {work.loaded_by == os.getpid()}')"))
        assert "loaded here: True" in logs(messages)
        assert messages[-1]["outcome"] == "finished"


def test_a_setting_switches_them_off(short_dir: Path, tmp_path: Path) -> None:
    kometa = make_kometa(tmp_path / "k", VERIFIED[-1])
    with worker(kometa, short_dir, "--off", "preload", "--off", "retry_wait") as made:
        states = made.talk().hello["speedups"]
        assert {name for name, state in states.items() if state == "off: by setting"} == {"preload", "retry_wait"}
    with worker(kometa, short_dir, "--off", "all") as made:
        assert set(made.talk().hello["speedups"].values()) == {"off: by setting"}


def test_the_socket_is_the_owners_alone(running: Worker, talk: Talk) -> None:
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o600


def test_a_run_is_a_fresh_kometa(talk: Talk, tmp_path: Path, running: Worker) -> None:
    """Arguments, directory, temporary files, log and module name are those of ``kometa.py -r`` for that config alone."""
    home = make_shard(
        tmp_path / "a",
        """
        import tempfile
        work.say(f"cwd {os.getcwd()}")
        work.say(f"config {run_args['config']} timeout {run_args['timeout']} {run_args['run']} {run_args['overlays-only']}")
        work.say(f"attrs {attrs}")
        work.say(f"temp {tempfile.gettempdir()}")
        work.say(f"kometa is {sys.modules['kometa'].__name__} of {os.path.basename(sys.argv[0])}")
        work.say(f"preloaded by {work.loaded_by} in {os.getpid()}")
        """,
    )
    messages = talk.run(home, timeout=17)
    said = logs(messages)
    assert f"cwd {home}" in said
    assert "config config/config.yml timeout 17 True True" in said, "the shard's own folder is left out of what it says"
    assert "attrs {'collections': None, 'libraries': None, 'files': None}" in said
    assert "temp tmp" in said
    assert "kometa is kometa of kometa.py" in said
    preloaded, _, pid = next(line for line in said if line.startswith("preloaded by")).removeprefix("preloaded by ").partition(" in ")
    assert int(preloaded) == running.process.pid != int(pid)
    assert [message["name"] for message in messages if message["type"] == "phase"] == ["start", "connect", "finish"]
    assert messages[-1] | {"seconds": 0} == {"type": "done", "id": "job", "outcome": "finished", "detail": "", "seconds": 0}
    assert "cwd" in (home / "config" / "logs" / "meta.log").read_text()
    assert (home / "config" / "UUID").read_text()


def test_two_runs_share_nothing(talk: Talk, tmp_path: Path) -> None:
    script = (
        "import builtins\nwork.say(f\"before: {getattr(builtins, 'left', 'nothing')}\")\nbuiltins.left = 'something'\nwork.logger.x = 1\n"
    )
    for name in ("a", "b"):
        assert "before: nothing" in logs(talk.run(make_shard(tmp_path / name, script)))


def test_no_secret_is_inherited(talk: Talk, tmp_path: Path) -> None:
    home = make_shard(
        tmp_path / "a",
        'work.say(f"env {dict(os.environ)}")\nwork.say(f"own {open(\'/proc/self/environ\').read()!r}")\nimport requests.utils as u\n'
        "work.say(f\"netrc {u.get_netrc_auth('http://x/')}\")",
    )
    said = "\n".join(logs(talk.run(home)))
    assert "LC_TIME" in said
    assert "'KOMETA_PLEXTOKEN'" not in said
    assert "'PLEX_TOKEN'" not in said
    assert "netrc None" in said


def test_levels_and_sources_come_through(talk: Talk, tmp_path: Path) -> None:
    home = make_shard(tmp_path / "a", "logger.debug('quiet')\nlogger.warning('careful')\nlogger.error('bad | worse')\nlogger.info('   ')")
    messages = talk.run(home)
    assert logs(messages, "WARNING") == ["careful"]
    assert logs(messages, "ERROR") == ["bad | worse"]
    assert "quiet" not in logs(messages)
    assert next(message for message in messages if message.get("text") == "careful")["source"].startswith("logs.py:")
    assert "quiet" in logs(talk.run(make_shard(tmp_path / "b", "logger.debug('quiet')"), log_level="DEBUG"))


def test_a_critical_line_means_failed(talk: Talk, tmp_path: Path) -> None:
    messages = talk.run(make_shard(tmp_path / "a", "logger.critical('Config Error: no libraries')\nlogger.critical('second')"))
    assert (messages[-1]["outcome"], messages[-1]["detail"]) == ("failed", "Config Error: no libraries")


def test_an_uncaught_exception_means_failed(talk: Talk, tmp_path: Path) -> None:
    messages = talk.run(make_shard(tmp_path / "a", "raise KeyError('lost')"))
    assert (messages[-1]["outcome"], messages[-1]["detail"]) == ("failed", "KeyError: 'lost'")
    assert any("Traceback" in line for line in logs(messages, "WARNING"))


def test_leaving_early_means_failed_with_what_was_printed(talk: Talk, tmp_path: Path) -> None:
    messages = talk.run(make_shard(tmp_path / "a", "print('Requirements Error: no x')\nsys.exit(0)"))
    assert messages[-1]["outcome"] == "failed"
    assert "Requirements Error: no x" in messages[-1]["detail"]


@pytest.mark.parametrize(
    ("script", "why"), [("os.kill(os.getpid(), 11)", "SIGSEGV"), ("os._exit(9)", "status 9"), ("os.kill(0, 9)", "SIGKILL")]
)
def test_a_crash_ends_the_child_alone(talk: Talk, tmp_path: Path, script: str, why: str) -> None:
    crashed, fine = (
        make_shard(tmp_path / "a", f"print('last words', flush=True)\n{script}"),
        make_shard(tmp_path / "b", "work.say('still here')"),
    )
    messages = talk.run(crashed, fine)
    outcomes = {message["shard"]: message["outcome"] for message in messages if message["type"] == "shard"}
    assert outcomes == {0: "crashed", 1: "finished"}
    assert messages[-1]["outcome"] == "crashed"
    assert why in messages[-1]["detail"]
    assert "last words" in messages[-1]["detail"]
    assert talk.run(make_shard(tmp_path / "c"))[-1]["outcome"] == "finished"


def test_shards_run_side_by_side(talk: Talk, tmp_path: Path) -> None:
    """Each of three shards waits for the other two: one after the other they would never end."""
    script = f"""
    import time
    open({str(tmp_path)!r} + f"/{{os.getpid()}}.here", "w").close()
    while len([n for n in os.listdir({str(tmp_path)!r}) if n.endswith(".here")]) < 3:
        time.sleep(0.01)
    work.say("met")
    """
    messages = talk.run(*(make_shard(tmp_path / name, script) for name in "abc"))
    assert messages[-1]["outcome"] == "finished"
    assert {message["shard"] for message in messages if message.get("text") == "met"} == {0, 1, 2}
    assert [message["type"] for message in messages].count("shard") == 3


HANG = """
import signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
extra = subprocess.Popen(["sleep", "60"])
work.say(f"pids {os.getpid()} {extra.pid}")
while True:
    time.sleep(60)
"""


def hung(talk: Talk, home: Path, **more: float) -> list[int]:
    """Start a run that hangs and has a process of its own; both pids."""
    talk.render(make_shard(home, HANG), deadline=more.get("deadline", 60))
    line = talk.take("log", lambda message: message["text"].startswith("pids"))[-1]["text"]
    return [int(pid) for pid in line.split()[1:]]


def test_cancel_ends_all_of_it(talk: Talk, tmp_path: Path) -> None:
    pids = hung(talk, tmp_path / "a")
    talk.send(type="cancel", id="another")
    assert all(alive(pid) for pid in pids)
    asked = time.monotonic()
    talk.send(type="cancel", id="job")
    messages = talk.take("done")
    assert time.monotonic() - asked < 1.0  # what the daemon promises
    assert messages[-1]["outcome"] == "cancelled"
    assert gone(*pids)


def test_the_deadline_ends_all_of_it(talk: Talk, tmp_path: Path) -> None:
    pids = hung(talk, tmp_path / "a", deadline=0.5)
    assert talk.take("done")[-1]["outcome"] == "deadline"
    assert gone(*pids)


def test_a_closed_connection_ends_all_of_it(running: Worker, talk: Talk, tmp_path: Path) -> None:
    pids = hung(talk, tmp_path / "a")
    talk.close()
    assert gone(*pids)
    assert running.talk().run(make_shard(tmp_path / "b"))[-1]["outcome"] == "finished"


def test_a_job_behind_one_that_is_being_cancelled_waits_for_it(running: Worker, talk: Talk, tmp_path: Path) -> None:
    pids = hung(talk, tmp_path / "a")
    talk.send(type="cancel", id="job")
    talk.render(make_shard(tmp_path / "b", "work.say('second')"), job="next")
    messages = talk.take("done", lambda message: message["id"] == "next")
    assert [message["outcome"] for message in messages if message["type"] == "done"] == ["cancelled", "finished"]
    assert "second" in logs(messages)
    assert gone(*pids)


def test_one_job_at_a_time(running: Worker, talk: Talk, tmp_path: Path) -> None:
    hung(talk, tmp_path / "a")
    other = running.talk()
    other.render(make_shard(tmp_path / "b"), job="second")
    assert other.take("refused")[-1] == {"type": "refused", "id": "second", "detail": "busy with job"}
    other.send(type="cancel", id="job")  # not its own
    other.send(type="ping", n=7)
    assert other.take("pong")[-1]["n"] == 7
    talk.send(type="ping", n="still here")
    assert talk.take("pong")[-1]["n"] == "still here"


def test_a_flood_is_bounded_and_said(talk: Talk, tmp_path: Path) -> None:
    script = """
    for n in range(30000):
        logger.info(f"line {n}")
    logger.error("seen " + "x" * 9000)
    print("y" * 300000)
    """
    messages = talk.run(make_shard(tmp_path / "a", script))
    said = logs(messages)
    assert len(said) < 5000
    assert max(map(len, said)) <= 4000
    assert any(line.startswith("seen x") for line in said)
    assert any("more log lines were left out" in line for line in said)
    assert messages[-1]["outcome"] == "finished"


def test_no_file_grows_without_bound(talk: Talk, tmp_path: Path) -> None:
    """A log file, say: Kometa's own has no end."""
    script = """
    with open("small", "wb") as file:
        file.truncate(100_000_000)
    try:
        with open("large", "wb") as file:
            file.truncate(1_000_000_000)
    except OSError as error:
        work.say(f"refused: {error.strerror}")
    """
    messages = talk.run(make_shard(tmp_path / "a", script))
    assert "refused: File too large" in logs(messages)
    assert messages[-1]["outcome"] == "finished"
    assert (tmp_path / "a" / "small").stat().st_size == 100_000_000


FLOODS = {
    "warnings": "for n in range(4000):\n    logger.warning('w' * 5000)",
    "huge lines": "for n in range(12):\n    logger.error('e' * 3_000_000)",
    "many lines": "for n in range(50000):\n    print(n)",
    "no newline": "for n in range(200):\n    sys.stdout.write('y' * 50000)\nsys.stdout.flush()",
    "bytes": "for n in range(200):\n    os.write(2, bytes([255, 0]) * 25000)",
}


@pytest.mark.parametrize("name", FLOODS)
def test_no_kind_of_flood_gets_through(talk: Talk, tmp_path: Path, name: str) -> None:
    """Much goes in; what comes out stays small, and the run ends as ever."""
    messages = talk.run(make_shard(tmp_path / "a", FLOODS[name] + "\nlogger.info('the end')"))
    said = logs(messages)
    assert 0 < sum(map(len, said)) < 10_000_000
    assert len(said) <= 2600
    assert max(map(len, said)) <= 4000
    assert messages[-1]["outcome"] == "finished"
    assert "the end" in said


ENDLESS = {
    "log": "while True:\n    logger.warning('again')",
    "print": "while True:\n    print('again', flush=True)",
    "print without end": "while True:\n    sys.stdout.write('again')",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_flood_is_cancelled_like_anything(talk: Talk, tmp_path: Path, name: str) -> None:
    talk.render(make_shard(tmp_path / "a", f"work.say(f'pid {{os.getpid()}}')\n{ENDLESS[name]}"))
    messages = talk.take("log", lambda message: message["text"].startswith("pid"))
    pid = int(messages[-1]["text"].split()[1])
    if not any("again" in line for line in logs(messages)):
        talk.take("log", lambda message: "again" in message["text"])
    asked = time.monotonic()
    talk.send(type="cancel", id="job")
    assert talk.take("done")[-1]["outcome"] == "cancelled"
    assert time.monotonic() - asked < 1.0  # what the daemon promises
    assert gone(pid)


def test_lines_that_are_only_counted_are_progress(talk: Talk, tmp_path: Path) -> None:
    """Beyond the bound no line is passed on: the child says that it lives."""
    script = f"""
    import time
    for n in range({MAX_LINES}):
        logger.info("line")
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        logger.info("line")
        time.sleep(0.05)
    """
    assert talk.run(make_shard(tmp_path / "a", script), phase_deadline=2.0)[-1]["outcome"] == "finished"


def test_a_reader_that_sleeps_stops_nobody(running: Worker, talk: Talk, tmp_path: Path) -> None:
    """More than the sockets hold is waiting for a sidecar that does not read; the worker answers others meanwhile."""
    script = "for n in range(3900):\n    logger.info(f'{n} ' + 'x' * 3900)\n"
    talk.render(make_shard(tmp_path / "a", script), make_shard(tmp_path / "b", script))
    other = running.talk()
    other.send(type="ping", n=1)
    assert other.take("pong")
    time.sleep(0.5)
    messages = talk.take("done")
    assert messages[-1]["outcome"] == "finished"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"shards": []}, "shards"),
        ({"shards": [{"index": 0, "home": "/nowhere/at/all", "token": "t"}]}, "no directory"),
        ({"shards": [{"index": 0, "home": "relative", "token": "t"}]}, "no directory"),
        ({"shards": [{"index": True, "home": "/", "token": "t"}]}, "index"),
        ({"shards": [{"index": 0, "home": "/", "token": "t"}]}, "config.yml"),
        ({"shards": [{"index": 0, "home": "/"}]}, "token"),
        ({"gateway": "relative"}, "gateway"),
        ({"gateway": None}, "gateway"),
        ({"deadline": "soon"}, "deadline"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": True}, "deadline"),
        ({"options": {"timeout": 0}}, "timeout"),
        ({"options": {"log_level": "LOUD"}}, "log_level"),
        ({"options": {"phase_deadline": 0}}, "phase_deadline"),
        ({"options": {"phase_deadline": "1m"}}, "phase_deadline"),
        ({"options": {"memory": 1.5}}, "memory"),
        ({"options": {"memory": -1}}, "memory"),
        ({"options": {"phase_deadline": None, "memory": None}}, None),
        ({"options": []}, None),
        ({"options": "x"}, "options"),
    ],
)
def test_bad_orders_are_refused(talk: Talk, tmp_path: Path, change: dict[str, object], detail: str | None) -> None:
    home = make_shard(tmp_path / "a")
    good = {"type": "render", "id": "job", "gateway": "/x", "deadline": 5, "shards": [{"index": 0, "home": str(home), "token": "t"}]}
    talk.send(**(good | change))
    if detail is None:
        assert talk.take("done")[-1]["outcome"] == "finished"
    else:
        assert detail in talk.take("refused")[-1]["detail"]


def test_two_shards_need_two_homes(talk: Talk, tmp_path: Path) -> None:
    home = make_shard(tmp_path / "a")
    talk.render(home, home)
    assert "same home" in talk.take("refused")[-1]["detail"]


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", b"\0\0\0\2{]", b"\0\0\0\2[]", encode({"type": "x"})[:-1] + b"!"])
def test_nonsense_closes_that_connection_alone(running: Worker, nonsense: bytes, tmp_path: Path) -> None:
    bad, good = running.talk(), running.talk()
    bad.link.sendall(nonsense)
    with pytest.raises((EOFError, ConnectionResetError)):
        bad.take("never")
    good.send(type="something-new", id=1)
    assert good.run(make_shard(tmp_path / "a"))[-1]["outcome"] == "finished"


def test_the_network_is_refused(talk: Talk, tmp_path: Path) -> None:
    script = """
    import socket, urllib.request, requests
    for what in (
        lambda: socket.create_connection(("127.0.0.1", 9), timeout=2),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)),
        lambda: socket.getaddrinfo("example.org", 80),
        lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"),
        lambda: urllib.request.urlopen("http://127.0.0.1:9/", timeout=2),
        lambda: requests.get("http://127.0.0.1:9/", timeout=2),
    ):
        try:
            what()
            work.say("REACHED")
        except OSError as error:
            work.say(f"{type(error).__name__}: {error}")
    """
    messages = talk.run(make_shard(tmp_path / "a", script))
    said = logs(messages)
    assert "REACHED" not in said
    assert [line.partition(":")[0] for line in logs(messages, "INFO") if "Error" in line or "Refused" in line] == [
        "NetworkRefused",
        "NetworkRefused",
        "NetworkRefused",
        "NetworkRefused",
        "OSError",
        "ConnectionError",
    ]
    assert sum("refused" in line for line in logs(messages, "WARNING")) == 4


def test_a_killed_worker_takes_its_children_along(short_dir: Path, tmp_path: Path) -> None:
    with worker(make_kometa(tmp_path / "k"), short_dir) as made:
        pid = hung(made.talk(), tmp_path / "a")[0]
        made.process.send_signal(signal.SIGKILL)
        assert gone(pid)


def test_sigterm_ends_a_worker_and_its_children(short_dir: Path, tmp_path: Path) -> None:
    with worker(make_kometa(tmp_path / "k"), short_dir) as made:
        pids = hung(made.talk(), tmp_path / "a")
        made.process.terminate()
        assert made.process.wait(5) == 0
        assert gone(*pids)
        assert not made.path.exists()


def test_shutdown_ends_a_worker(short_dir: Path, tmp_path: Path) -> None:
    with worker(make_kometa(tmp_path / "k"), short_dir) as made:
        made.talk().send(type="shutdown")
        assert made.process.wait(5) == 0


def test_a_socket_that_cannot_be_made_is_said(short_dir: Path, tmp_path: Path) -> None:
    (short_dir / "w.sock").mkdir()
    command = [sys.executable, "-m", "renderer", "--kometa", str(make_kometa(tmp_path / "k")), "--socket", str(short_dir / "w.sock")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 4
    assert "Traceback" not in told.stderr
    assert f"the worker cannot listen at {short_dir}/w.sock: " in told.stderr
    assert f"belongs to user {os.getuid()}, this is user {os.getuid()}" in told.stderr


def test_a_missing_requirement_is_named_with_the_remedy(short_dir: Path, tmp_path: Path) -> None:
    kometa = make_kometa(tmp_path / "k")
    script = kometa / "kometa.py"
    script.write_text("import no_such_package\n" + script.read_text())
    with worker(kometa, short_dir) as made:
        _, error = made.process.communicate(timeout=20)
        assert made.process.returncode == 3
    assert "requirement no_such_package is missing" in error
    assert f"-m pip install -r {kometa}/requirements.txt" in error


@pytest.mark.parametrize("make", [lambda home: home.mkdir(), lambda home: (make_kometa(home) / "kometa.py").write_text("def (")])
def test_what_is_no_kometa_is_said(short_dir: Path, tmp_path: Path, make: object) -> None:
    make(tmp_path / "k")  # type: ignore[operator]
    with worker(tmp_path / "k", short_dir) as made:
        _, error = made.process.communicate(timeout=20)
        assert made.process.returncode == 3
    assert str(tmp_path / "k") in error


def test_a_module_that_fails_is_left_to_the_run(short_dir: Path, tmp_path: Path) -> None:
    kometa = make_kometa(
        tmp_path / "k",
        VERIFIED[-1],
        broken="raise RuntimeError('not today')",
        early="from modules import util\nutil.logger.info('at import')",
    )
    with worker(kometa, short_dir) as made:
        assert made.talk().run(make_shard(tmp_path / "a", "import modules.early\nwork.say('ok')"))[-1]["outcome"] == "finished"


def test_layout_basic_switches_raqm_off(short_dir: Path, tmp_path: Path) -> None:
    kometa = make_kometa(tmp_path / "k")
    script = "from PIL import ImageFont\nwork.say(f'layout {ImageFont.load_default(20).layout_engine}')"
    with worker(kometa, short_dir, "--layout", "basic") as made:
        talk = made.talk()
        assert talk.hello["layout"] == "basic"
        assert "layout 0" in logs(talk.run(make_shard(tmp_path / "a", script)))


def test_nothing_is_written_beside_kometa(talk: Talk, running: Worker, tmp_path: Path) -> None:
    home = Path(running.process.args[4])  # type: ignore[index, arg-type]
    talk.run(make_shard(tmp_path / "a", "import modules.work"))
    assert not list(home.rglob("*.pyc"))
    assert not list((home / "fonts").iterdir())
