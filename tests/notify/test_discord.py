"""Discord as it is documented: limits, editing, rate limits, hooks that are gone, uploads too large, mentions."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model import RunState
from sidecar.notify import Discord, Style, embed, open_session
from sidecar.notify.payload import Message
from sidecar.notify.sending import Later, Refused, Sent, Shut
from sidecar.review import FileEdit
from tests.notify.kit import TELLER, Clock, blob_of, mask, poster, review_of, run
from tests.notify.standin import THREAD, DiscordStandIn, _faults

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
PICTURES = {
    blob_of(b"new 101").sha256: poster("FILM 101", badge=True),
    blob_of(b"old 101").sha256: poster("FILM 101"),
    blob_of(b"mask").sha256: mask(),
}


def read(sha256: str, _: str) -> bytes | None:
    return PICTURES.get(sha256)


def changed(number: int = 1) -> Message:
    made = run(number, changed=(101,), look="new")
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n-  weight: 10\n+  weight: 20\n+  url: https://x/(redacted)\n+  fourth: line"
    files = [FileEdit(path="overlays/my_file.yml", kind="changed", added=3, removed=1, diff=diff)]
    return TELLER.changed(made, review_of(made, reference="old", files=files))


def body(number: int = 1) -> Mapping[str, Any]:
    return changed(number).plain()


async def send(
    discord: DiscordStandIn,
    message: Mapping[str, Any],
    *,
    edit: str = "",
    style: Style | None = None,
    pictures: bool = True,
    url: str = "",
) -> Sent:
    hook = Discord("d", url or discord.url, open_session(LOOPBACK), read=read if pictures else None, style=style)
    try:
        return await hook.send("letter-1", message, edit=edit)
    finally:
        await hook.close()


async def test_what_a_message_says(discord: DiscordStandIn) -> None:
    sent = await send(discord, body())
    kept = discord.messages[sent.remote]
    (made,) = kept.payload["embeds"]
    assert made["title"] == "1 poster changed"
    assert made["url"] == f"http://gallery.example/runs/{run(1).id}/"
    assert "overlays/my\\_file.yml" in made["description"]
    assert "```diff\n-  weight: 10\n+  weight: 20\n+  url: https://x/(redacted)\n```" in made["description"]
    assert "fourth" not in made["description"]
    fields = {each["name"]: each["value"] for each in made["fields"]}
    assert fields["Posters"] == "Film 101 (1995) (1.2 %)"
    assert fields["Run"] == "3 pictures · 1.5 s · Kometa 2.4.4 · 1 writes blocked"
    assert run(1).id in made["footer"]["text"]
    assert kept.payload["allowed_mentions"] == {"parse": []}
    assert kept.payload["content"] == ""
    assert made["image"] == {"url": "attachment://changes.jpg"}
    (attached,) = kept.payload["attachments"]
    assert attached["description"] == "Contact sheet of 1 of 1 changed posters, before, after and difference: Film 101 (1995) (1.2 %)"
    assert kept.files["changes.jpg"].startswith(b"\xff\xd8")
    assert len(kept.files["changes.jpg"]) < 2_000_000
    assert discord.violations == []


async def test_a_failure_names_file_line_and_remedy(discord: DiscordStandIn) -> None:
    message = TELLER.failed(run(1, RunState.INVALID, problem="no such *image*"))
    sent = await send(discord, message.plain())
    (made,) = discord.messages[sent.remote].payload["embeds"]
    assert made["title"] == "Preview failed: no such \\*image\\*"
    (problems,) = [each["value"] for each in made["fields"] if each["name"] == "Problems"]
    assert problems == "**overlays/my.yml:4** no such \\*image\\*\n→ write it again"
    assert discord.messages[sent.remote].files == {}


async def test_what_befell_many_items_is_told_once(discord: DiscordStandIn) -> None:
    failed = run(1, RunState.FAILED, problem="no poster")
    each = [replace(failed.problems[0], target=str(key)) for key in (101, 102, 103)]
    message = TELLER.failed(replace(failed, problems=(*each, replace(failed.problems[0], what="no font"))))
    assert [problem.what for problem in message.problems] == ["no poster", "no font"]


async def test_a_message_is_edited_with_its_picture(discord: DiscordStandIn) -> None:
    first = await send(discord, body(1))
    again = await send(discord, body(2), edit=first.remote)
    assert again.remote == first.remote
    assert len(discord.messages) == 1
    assert run(2).id in discord.messages[first.remote].payload["embeds"][0]["footer"]["text"]
    assert [method for _, method, _ in discord.asked] == ["POST", "PATCH"]
    assert list(discord.messages[first.remote].files) == ["changes.jpg"]
    without = await send(discord, body(3), edit=first.remote, pictures=False)
    assert discord.messages[without.remote].files == {}, "an old picture does not stay beside a new text"


async def test_a_message_that_somebody_deleted_is_sent_anew(discord: DiscordStandIn) -> None:
    sent = await send(discord, body(), edit="111111111111111111")
    assert list(discord.messages) == [sent.remote]
    assert discord.violations == []


async def test_style(discord: DiscordStandIn) -> None:
    style = Style(thread=THREAD, silent=True, username="Preview", users=("222222222222222222",), mention_on=frozenset({"preview.failed"}))
    quiet = await send(discord, body(), style=style)
    kept = discord.messages[quiet.remote]
    assert (kept.thread, kept.payload["flags"], kept.payload["username"]) == (THREAD, 4096, "Preview")
    assert kept.payload["content"] == ""
    edited = await send(discord, body(2), style=style, edit=quiet.remote)
    assert edited.remote == quiet.remote
    loud = await send(discord, TELLER.failed(run(1, RunState.FAILED, problem="<@333333333333333333> @everyone")).plain(), style=style)
    kept = discord.messages[loud.remote]
    assert kept.payload["content"] == "<@222222222222222222>"
    assert kept.payload["allowed_mentions"] == {"parse": [], "users": ["222222222222222222"], "roles": []}
    assert discord.violations == []


@pytest.mark.parametrize("gone", [401, 404])
async def test_a_hook_that_is_gone_is_shut(discord: DiscordStandIn, gone: int) -> None:
    discord.gone = gone
    with pytest.raises(Shut, match=f"HTTP {gone}"):
        await send(discord, body())


async def test_a_thread_that_is_gone_names_the_setting(discord: DiscordStandIn) -> None:
    with pytest.raises(Shut, match="setting thread"):
        await send(discord, body(), style=Style(thread="444444444444444444"))


async def test_a_wrong_token_is_never_told(discord: DiscordStandIn) -> None:
    with pytest.raises(Shut) as caught:
        await send(discord, body(), url=discord.url + "WRONG")
    assert "token" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


async def test_an_upload_too_large_is_shrunk_then_linked(discord: DiscordStandIn, clock: Clock) -> None:
    discord.burst = 100
    full = len(discord.messages[(await send(discord, body())).remote].files["changes.jpg"])
    discord.max_upload = full // 2
    sent = await send(discord, body())
    small = discord.messages[sent.remote].files["changes.jpg"]
    assert [status for _, _, status in discord.asked[1:]] == [413, 200]
    assert len(small) <= full // 3
    discord.max_upload = 4_000
    sent = await send(discord, body())
    kept = discord.messages[sent.remote]
    assert kept.files == {}
    assert "too large to attach" in kept.payload["embeds"][0]["description"]
    assert kept.payload["embeds"][0]["url"].startswith("http://gallery.example/")
    assert [status for _, _, status in discord.asked[3:]] == [413, 413, 200]
    discord.max_upload = 10
    with pytest.raises(Refused, match="413"):
        await send(discord, body())


async def test_the_last_request_of_a_window_asks_for_a_pause(discord: DiscordStandIn, clock: Clock) -> None:
    pauses = [(await send(discord, body(), pictures=False)).pause for _ in range(5)]
    assert pauses == [0, 0, 0, 0, 2.0]
    clock.forward(0.5)
    with pytest.raises(Later) as caught:
        await send(discord, body(), pictures=False)
    assert (caught.value.after, caught.value.asked, caught.value.everywhere) == (1.5, True, False), "from the body, not the header"


async def test_a_refusal_names_the_field_only(discord: DiscordStandIn) -> None:
    bad = changed().model_copy(update={"title": "secret title"})
    with pytest.raises(Refused) as caught:
        await send(discord, bad.plain(), style=Style(username="my discord bot"))
    assert str(caught.value) == "d: Discord refuses the message (HTTP 400, code 50035, at username)"


TEXT = st.text(max_size=3000) | st.text(alphabet="*_`|~<>@\\\n😀[]()#-", max_size=3000)


@given(title=TEXT, what=TEXT, path=TEXT, lines=st.lists(TEXT, max_size=6), many=st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_whatever_it_says_it_is_within_the_limits(title: str, what: str, path: str, lines: list[str], many: int) -> None:
    made = run(1, RunState.FAILED, problem=what or "x", changed=range(many))
    message = TELLER.failed(made)
    edited = changed()
    assert edited.edit is not None
    file = edited.edit.files[0].model_copy(update={"path": path, "lines": [line[:160] for line in lines[:3]]})
    targets = [edited.targets[0].model_copy(update={"title": title[:300]})] * min(many, 50)
    for event in ("preview.failed", "preview.recovered", "preview.changed"):
        full = message.model_copy(
            update={
                "event": event,
                "title": title,
                "edit": edited.edit.model_copy(update={"files": [file] * 20}),
                "targets": targets,
                "problems": message.problems * 20,
            }
        )
        for silent in (True, False):
            payload = embed.payload(full, picture="a.jpg", alt=what * 5, silent=silent, too_large=True)
            assert _faults(payload, {"a.jpg": b""}, edit=False) == []
            (made_embed,) = payload["embeds"]
            assert embed.size(made_embed) <= 6000
            assert made_embed.get("description", "").count("```") % 2 == 0, "a code block that stays open"


def test_hostile_text_is_inert() -> None:
    assert embed.escaped("**x** `y` <@1> [a](http://b) ||s|| ~~t~~ _u_") == (
        "\\*\\*x\\*\\* \\`y\\` \\<@1\\> \\[a\\](http://b) \\|\\|s\\|\\| \\~\\~t\\~\\~ \\_u\\_"
    )
    assert embed.escaped("# big\n- list\n1. one\u202ert\x07") == "\\# big\n\\- list\n\\1. onert"


@given(st.text(max_size=400), st.integers(1, 300))
def test_cutting_keeps_to_the_length(text: str, longest: int) -> None:
    assert embed.units(embed.cut(text, longest)) <= longest
