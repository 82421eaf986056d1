"""Webhooks for programs and the presets: the JSON, its schema, signatures, templates, and what becomes of answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from docs.generate import HERE
from sidecar.apprising import Outcome, check
from sidecar.model import RunState
from sidecar.notify import Apprise, Preset, Webhook, open_session, schema
from sidecar.notify.payload import Message
from sidecar.notify.sending import Later, Refused, Shut
from sidecar.notify.session import begin, follow, merge
from sidecar.review import FileEdit
from tests.notify.kit import START, TELLER, Receiver, review_of, run

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
SCHEMA = json.loads((HERE / "notification.v1.schema.json").read_text(encoding="utf-8"))


def changed() -> Message:
    made = run(1, changed=(101, 102))
    files = [FileEdit(path="overlays/my.yml", kind="changed", added=1, removed=1, diff="--- a\n+++ b\n-x: 1\n+x: 2")]
    return begin(TELLER.changed(made, review_of(made, reference="old", files=files)))


def every_message() -> list[Message]:
    failed = TELLER.failed(run(2, RunState.FAILED, problem="<no> such & image"))
    recovered = TELLER.recovered(run(3, changed=(101,)), None)
    return [
        changed(),
        follow(changed(), changed()),
        merge(changed(), changed()),
        failed,
        recovered,
        TELLER.unchanged(run(4)),
        TELLER.outage("plex", "no answer", START),
        TELLER.back("worker", START, START),
        TELLER.test("x", START),
    ]


async def post(hook: Webhook | Preset, message: Message) -> None:
    try:
        await hook.send("letter-1", message.plain())
    finally:
        await hook.close()


def hook(receiver: Receiver, **options: Any) -> Webhook:
    return Webhook("w", receiver.url, open_session(LOOPBACK), wall=lambda: 1_700_000_000.7, **options)


@pytest.mark.parametrize("message", every_message(), ids=lambda message: message.event)
def test_every_message_is_as_documented(message: Message) -> None:
    jsonschema.validate(message.plain(), SCHEMA, format_checker=jsonschema.FormatChecker())
    assert message.title
    assert message.text


def test_the_documented_schema_is_the_codes() -> None:
    assert schema() == SCHEMA, "run: make docs"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**changed().plain(), "version": 2}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**changed().plain(), "event": "preview.exploded"}, SCHEMA)


async def test_a_delivery_is_identified_and_signed(receiver: Receiver) -> None:
    await post(hook(receiver, secret="a key of sixteen or more", headers={"X-Mine": "yes"}), changed())
    ((headers, body, _),) = receiver.got
    assert json.loads(body)["event"] == "preview.changed"
    assert (headers["webhook-id"], headers["Idempotency-Key"], headers["webhook-timestamp"]) == ("letter-1", "letter-1", "1700000000")
    assert (headers["X-Mine"], headers["Content-Type"]) == ("yes", "application/json")
    assert headers["X-Kometa-Sidecar-Event"] == "preview.changed"
    wanted = hmac.new(b"a key of sixteen or more", b"letter-1.1700000000." + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"


async def test_a_standard_webhooks_secret(receiver: Receiver) -> None:
    """The example of the specification's own library: whsec_ and base64."""
    key = b"0123456789abcdef0123456789abcdef"
    await post(hook(receiver, secret=f"whsec_{base64.b64encode(key).decode()}"), changed())
    await post(hook(receiver), changed())
    (headers, body, _), (unsigned, _, _) = receiver.got
    wanted = hmac.new(key, b"letter-1.1700000000." + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"
    assert "webhook-signature" not in unsigned


async def test_a_template_makes_another_shape(receiver: Receiver) -> None:
    template = (
        '{"msg": {{ message.title | tojson }}, "n": {{ message.targets | length }},'
        ' "who": [{% for t in message.targets %}{{ t.id }}, {% endfor %}0]}'
    )
    await post(hook(receiver, template=template, content_type="application/vnd.mine+json"), changed())
    ((headers, body, _),) = receiver.got
    assert json.loads(body) == {"msg": "2 posters changed", "n": 2, "who": [101, 102, 0]}
    assert headers["Content-Type"] == "application/vnd.mine+json"


@pytest.mark.parametrize(
    "template",
    [
        "{{ message.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ message.targets.append(1) }}",
        "{{ message.clear() }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{% for a in range(999999) %}x{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99) %}xxxx{% endfor %}{% endfor %}",
        "{{ message.nothing.at_all }}",
        "{{ 1 / 0 }}",
        "{{ self._TemplateReference__context.environment }}",
        "{{ ('{0.__class__}' | attr('format'))(1) }}",
        "{% include '/etc/passwd' %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",  # makes nothing, for hours
        "{{ 9 ** (9 ** 9) }}",  # worked out while it is compiled
        "{{ '%999999999d' % 1 }}",
        "{{ ('x' * 3000000000) | length }}",
        "{{ ('a ' * 99999999) | wordwrap(1) | length }}",
    ],
)
async def test_a_template_reaches_nothing_and_ends(receiver: Receiver, template: str) -> None:
    with pytest.raises(Refused, match="template"):
        await post(hook(receiver, template=template), changed())
    assert receiver.got == []


async def test_a_template_that_hangs_leaves_no_process(receiver: Receiver) -> None:
    """When the daemon stops meanwhile: a thread could not be ended."""
    forever = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    below = f"/proc/self/task/{threading.get_native_id()}/children"
    made = hook(receiver, template=forever)
    before = Path(below).read_text()
    sending = asyncio.create_task(made.send("letter-1", changed().plain()))
    while Path(below).read_text() == before:
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await made.close()
    assert Path(below).read_text() == before


OUTCOMES: dict[type[Exception] | None, tuple[int, ...]] = {
    None: (200, 204),
    Refused: (301, 400, 403),
    Shut: (401, 404, 410),
    Later: (408, 425, 429, 500, 503),
}


@pytest.mark.parametrize(("status", "outcome"), [(status, outcome) for outcome, many in OUTCOMES.items() for status in many])
async def test_what_becomes_of_an_answer(receiver: Receiver, status: int, outcome: type[Exception] | None) -> None:
    receiver.statuses, receiver.headers = [status], {"Retry-After": "30"}
    if outcome is None:
        await post(hook(receiver), changed())
        return
    with pytest.raises(outcome) as caught:
        await post(hook(receiver), changed())
    assert f"HTTP {status}" in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    if isinstance(caught.value, Later):
        assert caught.value.after == 30


def preset(kind: str, receiver: Receiver, path: str, **options: Any) -> Preset:
    return Preset(kind, "p", receiver.url.replace("/hook", path), open_session(LOOPBACK), patience=5, **options)


async def sent(receiver: Receiver) -> tuple[Mapping[str, str], dict[str, Any], str]:
    headers, body, path = receiver.got[-1]
    return headers, json.loads(body), path


async def test_slack(receiver: Receiver) -> None:
    await post(preset("slack", receiver, "/services/T/B/x"), TELLER.failed(run(1, RunState.FAILED, problem="<!channel> & co")))
    _, body, path = await sent(receiver)
    assert path == "/services/T/B/x"
    assert body["text"].startswith("*Preview failed: &lt;!channel&gt; &amp; co*\noverlays/my.yml:4: &lt;!channel&gt;")
    assert body["text"].endswith(f"\n<http://gallery.example/runs/{run(1).id}/|Open the gallery>")


async def test_ntfy(receiver: Receiver) -> None:
    await post(preset("ntfy", receiver, "/sub/my-topic", headers={"Authorization": "Bearer tk_1"}), changed())
    headers, body, path = await sent(receiver)
    assert path in ("/sub", "/sub/")
    assert headers["Authorization"] == "Bearer tk_1"
    assert (body["topic"], body["title"], body["priority"]) == ("my-topic", "2 posters changed", 3)
    assert body["message"].startswith("overlays/my.yml (changed, +1 −1)\n-x: 1\n+x: 2\nFilm 101 (1995) (1.2 %)")
    assert body["click"].startswith("http://gallery.example/")


@pytest.mark.parametrize("path", ["/message?token=A1", "/?token=A1"])
async def test_gotify(receiver: Receiver, path: str) -> None:
    await post(preset("gotify", receiver, path), TELLER.outage("plex", "no answer", START))
    _, body, asked = await sent(receiver)
    assert asked == "/message?token=A1"
    assert (body["title"], body["message"], body["priority"]) == ("Plex is away", "no answer", 8)


async def test_apprise_api(receiver: Receiver) -> None:
    await post(preset("apprise-api", receiver, "/notify/key"), TELLER.back("plex", START, START))
    _, body, path = await sent(receiver)
    assert (path, body["title"], body["type"], body["format"]) == ("/notify/key", "Plex is back", "success", "text")


async def test_apprise_itself(receiver: Receiver) -> None:
    apprise = Apprise("a", receiver.url.replace("http://", "json://"), private=LOOPBACK, patience=30)
    await apprise.send("letter-1", changed().plain())
    _, body, _ = await sent(receiver)
    assert body["title"] == "2 posters changed"
    receiver.statuses = [500]
    with pytest.raises(Later):
        await apprise.send("letter-1", changed().plain())
    assert check("nosuchservice://x") is Outcome.UNKNOWN
    assert check("tgram://123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/12345") is Outcome.DONE


async def test_apprise_reaches_no_private_address(receiver: Receiver) -> None:
    """By number, by name, or led there by a redirect: its own connections pass our guard."""
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "169.254.169.254"):
        apprise = Apprise("a", receiver.url.replace("http://127.0.0.1", f"json://{host}"), patience=30)
        with pytest.raises(Shut, match="private one"):
            await apprise.send("letter-1", changed().plain())
    receiver.statuses, receiver.headers = [307], {"Location": "http://127.0.0.2:1/"}
    redirected = Apprise("a", receiver.url.replace("http://", "json://"), private=[ipaddress.ip_network("127.0.0.1/32")], patience=30)
    with pytest.raises(Shut, match="private one"):
        await redirected.send("letter-1", changed().plain())
    assert len(receiver.got) == 1
    with pytest.raises(Later, match="no answer within"):
        await Apprise("a", "json://192.0.2.1", private=[ipaddress.ip_network("192.0.2.0/24")], patience=0.05).send("x", changed().plain())
