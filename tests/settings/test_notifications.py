"""Destinations and hooks in sidecar.yml: what is understood, and what is refused with file, line and remedy."""

from __future__ import annotations

from datetime import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import SettingsError
from sidecar.settings import Settings, load_settings

DISCORD = "https://discord.com/api/webhooks/123456789012345678/a-token_OF.its-own"


def load(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "sidecar.yml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, env or {}, {"data": str(tmp_path)})


def one(tmp_path: Path, lines: str) -> Any:
    (destination,) = load(tmp_path, f"notifications:\n- name: a\n  {lines}\n").notifications
    return destination


def refused(tmp_path: Path, text: str) -> tuple[int | None, str, str]:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.file.endswith("sidecar.yml")
    return problem.line, problem.what, problem.mend


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (DISCORD, "discord"),
        (DISCORD.replace("discord.com", "ptb.discord.com"), "discord"),
        (DISCORD.replace("discord.com", "discordapp.com"), "discord"),
        ("https://discord.com.evil.example/api/webhooks/1/x", "webhook"),
        ("https://example.net/discord.com", "webhook"),
    ],
)
def test_discord_is_known_by_its_address(tmp_path: Path, url: str, kind: str) -> None:
    assert one(tmp_path, f"url: {url}").what == kind


def test_a_destination_in_full(tmp_path: Path) -> None:
    each = one(
        tmp_path,
        "url: https://ntfy.example/topic\n  kind: ntfy\n  quiet: {start: 22:30, end: '7:00', zone: Europe/Berlin}\n"
        "  private: [192.168.1.0/24, 10.0.0.1]\n  session: 5m\n  give_up: 2h\n  headers: {Authorization: Bearer tk_1}\n",
    )
    assert (each.quiet.start, each.quiet.end, each.quiet.zone) == (time(22, 30), time(7), "Europe/Berlin")
    assert each.private == (ip_network("192.168.1.0/24"), ip_network("10.0.0.1/32"))
    assert (each.session, each.give_up) == (300.0, 7200.0)
    assert "preview.unchanged" not in each.events
    assert one(tmp_path, "url: https://x.example/\n  private: true").private == (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert one(tmp_path, "url: https://x.example/\n  private: 192.168.7.7").private == (ip_network("192.168.7.7/32"),)


def test_the_parts_of_an_address_are_secrets_too(tmp_path: Path) -> None:
    settings = load(
        tmp_path, f"notifications:\n- {{name: a, url: '{DISCORD}'}}\n- {{name: b, url: 'https://u:pa55word@g/m?token=A1b2C3'}}\n"
    )
    assert {DISCORD, "a-token_OF.its-own", "pa55word", "A1b2C3"} <= set(settings.secrets)


def test_secret_files(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "notifications_chat_url").write_text(DISCORD + "\n")
    (credentials / "notifications_script_secret").write_text("a key of sixteen")
    (credentials / "hooks_secret").write_text("hooks-secret-of-16")
    text = "notifications:\n- name: chat\n- {name: script, url: 'https://x.example/'}\n"
    settings = load(tmp_path, text, {"CREDENTIALS_DIRECTORY": str(credentials)})
    chat, script = settings.notifications
    assert chat.url.get_secret_value() == DISCORD
    assert script.secret is not None
    assert script.secret.get_secret_value() == "a key of sixteen"
    assert settings.hooks.secret is not None
    assert "hooks-secret-of-16" in settings.secrets


@pytest.mark.parametrize(
    ("lines", "line", "what"),
    [
        ("url: ftp://x/y", 2, "must begin with http"),
        *(
            (f"url: '{url}'\n  kind: {kind}", 2, "the url of a: it is none that can be asked")
            for kind in ("auto", "webhook", "slack")
            for url in (
                "http://x:99999/y",
                "http://x:abc/y",
                "http://[::1/y",
                "http://a..b/y",
                "http://x y/z",
                f"http://{'a' * 64}.example/",
            )
        ),
        ('url: https://x/y\n  headers: {Authorization: "Bearer x\\n"}', 2, "the header Authorization of a holds a line break"),
        ("url: https://x/y\n  headers: {content-length: '5'}", 2, "content-length is not for you to set"),
        ("url: https://discord.com/channels/1", 2, "no Discord webhook"),
        ("kind: ntfy\n  url: https://ntfy.sh/", 2, "names no ntfy topic"),
        ("url: https://x/y\n  events: [preview.exploded]", 4, "preview.changed"),
        ("url: https://x/y\n  quiet: {start: 25:99, end: '7:00'}", 4, "not a time of day like 22:00"),
        ("url: https://x/y\n  quiet: {start: '7:00', end: '7:00'}", 4, "never end or never begin"),
        ("url: https://x/y\n  quiet: {start: '7:00', end: '8:00', zone: Mars/Base}", 4, "no time zone Mars/Base"),
        ("url: https://x/y\n  private: [everywhere]", 4, "everywhere"),
        ("url: https://x/y\n  template: '{{ nope'", 2, "does not parse: line 1"),
        ("url: https://x/y\n  template: '{{ message | nope }}'", 2, "No filter named 'nope'"),
        ("url: https://x/y\n  template: '{{ 9 ** (9 ** 9) }}'", 2, "it takes too long or too much memory"),
        ("url: nosuchservice://x\n  kind: apprise", 2, "the url of a is none that Apprise knows"),
        ("url: https://x/y\n  kind: slack\n  template: x", 2, "has a shape of its own"),
        ("url: https://x/y\n  headers: {'bad name': x}", 2, "no header name"),
        ("url: https://x/y\n  secret: short", 4, "too short"),
        (f"url: {DISCORD}\n  username: my Discord bot", 2, "may not hold"),
        (f"url: {DISCORD}\n  thread: 12", 4, "thread"),
        ("url: https://x/y\n  evens: []", 4, "there is no setting notifications.0.evens"),
    ],
)
def test_what_is_refused(tmp_path: Path, lines: str, line: int, what: str) -> None:
    found, words, mend = refused(tmp_path, f"notifications:\n- name: a\n  {lines}\n")
    assert what in f"{words} {mend}"
    assert found in (line, line - 1, line + 1), f"line {found}"
    assert "token_OF" not in words


def test_names_differ(tmp_path: Path) -> None:
    _, what, _ = refused(tmp_path, "notifications:\n- {name: a, url: 'https://x/1'}\n- {name: a, url: 'https://x/2'}\n")
    assert "two destinations are called a" in what


def test_the_old_webhook_says_what_to_write_instead(tmp_path: Path) -> None:
    line, what, mend = refused(tmp_path, "log: {level: info}\nwebhook:\n  url: https://x.example/\n")
    assert (line, what) == (2, "there is no setting webhook any more")
    assert mend.startswith("Write notifications: [{name: webhook, url: ...}]")


@pytest.mark.parametrize(("secret", "what"), [("tiny-one", "too short"), ("with a space in it ok", "stands in an address")])
def test_a_hooks_secret_fits_an_address(tmp_path: Path, secret: str, what: str) -> None:
    _, words, _ = refused(tmp_path, f"hooks: {{secret: {secret}}}\n")
    assert what in words
    assert secret not in words
