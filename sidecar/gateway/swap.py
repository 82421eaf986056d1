"""Secrets for placeholders, only towards the host they belong to, and placeholders for secrets on the way back. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from sidecar.gateway.canonical import Refusal
from sidecar.model import Placeholder


def strangers(texts: Iterable[str], placeholders: Sequence[Placeholder], host: str) -> Refusal | None:
    """A refusal where one of ``texts`` holds a placeholder of another host's secret."""
    for placeholder in met(texts, placeholders):
        if host not in placeholder.hosts:
            return Refusal(f"the secret of {placeholder.connector} is not for {host}")
    return None


def met(texts: Iterable[str], placeholders: Sequence[Placeholder]) -> list[Placeholder]:
    """The placeholders that stand in ``texts``, also in HTTP Basic credentials."""
    material = [form for text in texts if text for form in (text, _credentials(text)) if form]
    return [placeholder for placeholder in placeholders if any(form in text for form in _forms(placeholder.text) for text in material)]


def into_url(text: str, placeholders: Sequence[Placeholder], host: str) -> str:
    """``text`` (path and query) with this host's secrets put in, percent-encoded."""
    return _swap(text, placeholders, host, lambda secret: quote(secret, safe=""))


def into_header(text: str, placeholders: Sequence[Placeholder], host: str) -> str:
    """A header's value with this host's secrets put in, into HTTP Basic credentials too."""
    plain = _credentials(text)
    if plain is None:
        return _swap(text, placeholders, host, str)
    swapped = _swap(plain, placeholders, host, str)
    return text if swapped == plain else f"Basic {base64.b64encode(_bytes(swapped)).decode()}"


def into_body(body: bytes, content_type: str, placeholders: Sequence[Placeholder], host: str) -> bytes:
    """A JSON or form body with this host's secrets put in, escaped as its kind needs it."""
    if "json" in content_type.lower():
        return _swap(body.decode("latin-1"), placeholders, host, lambda secret: json.dumps(secret)[1:-1]).encode("latin-1")
    return _swap(body.decode("latin-1"), placeholders, host, lambda secret: quote(secret, safe="")).encode("latin-1")


def neutral(text: str, placeholders: Sequence[Placeholder]) -> str:
    """``text`` with each placeholder named by its connector: the same question from two runs reads the same."""
    plain = _credentials(text)
    text = text if plain is None else f"Basic {plain}"
    for placeholder in _longest_first(placeholders):
        for form in _forms(placeholder.text):
            text = text.replace(form, "{" + placeholder.connector + "}")
    return text


def clean_text(text: str, placeholders: Sequence[Placeholder]) -> str:
    """``text`` without any secret that a host may have echoed."""
    for placeholder in _longest_first(placeholders):
        for form in _forms(placeholder.secret.get_secret_value()):
            text = text.replace(form, placeholder.text)
    return text


def clean(body: bytes, placeholders: Sequence[Placeholder]) -> bytes:
    """``body`` without any secret that a host may have echoed."""
    for placeholder in _longest_first(placeholders):
        for form in _forms(placeholder.secret.get_secret_value()):
            body = body.replace(form.encode(), placeholder.text.encode())
    return body


def _swap(text: str, placeholders: Sequence[Placeholder], host: str, encode: object) -> str:
    assert callable(encode)
    for placeholder in _longest_first(placeholders):
        if host in placeholder.hosts:
            for form in _forms(placeholder.text):
                text = text.replace(form, encode(placeholder.secret.get_secret_value()))
    return text


def _longest_first(placeholders: Sequence[Placeholder]) -> list[Placeholder]:
    """One placeholder may begin with another's text: the longer is looked for first."""
    return sorted(placeholders, key=lambda placeholder: len(placeholder.text), reverse=True)


def _forms(text: str) -> tuple[str, ...]:
    """How ``text`` can stand in a request: plain, percent-encoded, JSON-escaped. Never empty texts: they stand everywhere."""
    return tuple(dict.fromkeys(form for form in (text, quote(text, safe=""), json.dumps(text)[1:-1]) if form))


def _credentials(text: str) -> str | None:
    """``user:password`` of an ``Authorization`` header (RFC 7617); None where ``text`` is none."""
    scheme, _, coded = text.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(coded.strip(), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return None


def _bytes(text: str) -> bytes:
    """As requests writes credentials: Latin-1; UTF-8 where that cannot hold them."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
