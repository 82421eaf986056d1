"""Knows a secret by its key or its place in a URL, and makes stand-ins that look like it."""

from __future__ import annotations

import hashlib
import hmac
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from sidecar.addresses import plain_host
from sidecar.model import Problem
from sidecar.yamlfile import Where, scalars

MASK: Final = "(redacted)"
SHORTEST: Final = 6
"""Characters; a shorter one is hidden where its key tells it, but not looked for elsewhere: it would be found in any text."""
SHORTEST_STANDIN: Final = 16
"""Characters: short enough for any field, long enough never to occur by chance."""

_KEY = re.compile(r"(token|api[_-]?key|secret|password|passwd|passphrase)$|(^|[_-])pin$|^client_|^authorization$", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"']+", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)(?P<user>[^/:@<>?#]*)(?::(?P<password>[^/@<>?#]*))?@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[a-z_-]*token|[a-z_-]*api[_-]?key|key|[a-z_-]*secret|[a-z_-]*pass(?:word|wd)?|auth|sig|signature|client_id)=)"
    r"(?P<value>[^&#<>;]+)",
    re.IGNORECASE,
)
_PUBLIC: Final = frozenset({"none", "null", "true", "false", "env", "bearer"})
_WRITTEN_OUT: Final = frozenset({"webhooks", "notifiarr", "gotify", "ntfy", "apprise"})
"""Sections whose addresses are secrets as a whole (a Discord hook's URL is its password)."""


def is_secret_key(key: object) -> bool:
    """Whether values under this key are secrets by its name."""
    return bool(_KEY.search(str(key)))


def keyed_secrets(data: Any) -> Iterator[tuple[Where, str]]:
    """Every secret that its key tells, with its place."""
    for where, value in scalars(data):
        if value is None or isinstance(value, bool) or not str(value).strip() or str(value).lower() in _PUBLIC:
            continue
        names = [step for step in where if isinstance(step, str)]
        if (names and is_secret_key(names[-1])) or (any(name in _WRITTEN_OUT for name in names[:3]) and "://" in str(value)):
            yield where, str(value)


def edit_urls(text: str, change: Callable[[str, str], str]) -> str:
    """``text`` with each secret in its URLs replaced by ``change(secret, host)``: credentials, and parameters such as apikey."""

    def one(found: re.Match[str]) -> str:
        url = found.group()
        host = host_of(url) or ""

        def credentials(inner: re.Match[str]) -> str:
            user, password = inner.group("user"), inner.group("password")
            if password:
                return f"{user}:{change(unquote(password), host)}@"
            return f"{change(unquote(user), host)}@" if user else inner.group()

        url = _CREDENTIALS.sub(credentials, url, count=1)
        return _PARAMETER.sub(lambda inner: inner.group("name") + change(unquote(inner.group("value")), host), url)

    return _URL.sub(one, text)


def standable(value: str) -> bool:
    """In overlay files a short value under a secret-like key is more likely a template variable than a secret."""
    return len(value) >= SHORTEST + 2


def url_secrets(text: str) -> set[str]:
    """Secrets in the URLs of ``text``, decoded."""
    found: set[str] = set()

    def note(secret: str, _: str) -> str:
        found.add(secret)
        return secret

    edit_urls(text, note)
    return found


def host_of(url: object) -> str | None:
    """The host of a URL, as ``plain_host`` writes it."""
    try:
        host = urlsplit(str(url)).hostname if url else None
    except ValueError:
        return None
    return plain_host(host) if host else None


def secrets_of(*sources: Any) -> frozenset[str]:
    """Every secret in plain data, texts or lists of known secrets."""
    found: set[str] = set()
    for source in sources:
        if isinstance(source, str):
            found |= url_secrets(source)
        elif isinstance(source, list) and all(isinstance(item, str) for item in source):
            found.update(source)
        else:
            found.update(value for _, value in keyed_secrets(source))
            for _, value in scalars(source):
                if isinstance(value, str) and "://" in value:
                    found |= url_secrets(value)
    return frozenset(secret for secret in found if secret)


def mask(text: str, hidden: Iterable[str], with_: Mapping[str, str] | None = None) -> str:
    """``text`` without any of the secrets, the longest first; each replaced by its stand-in, or by :data:`MASK`."""
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            stand = with_.get(secret, MASK) if with_ else MASK
            for form in {secret, quote(secret, safe="")}:
                text = text.replace(form, stand)
    return text


def holds(text: str, secret: str) -> bool:
    """Whether :func:`mask` would find the secret in ``text``."""
    return len(secret) >= SHORTEST and (secret in text or quote(secret, safe="") in text)


def redacted(problem: Problem, hidden: Iterable[str]) -> Problem:
    """The problem without any of the secrets."""
    return replace(problem, what=mask(problem.what, hidden), mend=mask(problem.mend, hidden))


def stand_in(secret: str, seed: bytes, salt: str = "") -> str:
    """Text of the secret's shape (length, hex, digits, case, dashes) that tells nothing of it; the same for the same seed."""
    for attempt in range(100):
        found = _shaped(secret, seed, f"{salt}/{attempt}")
        if found != secret and secret not in found:
            return found
    raise AssertionError("a hundred keyed hashes gave the secret back")


def _shaped(secret: str, seed: bytes, salt: str) -> str:
    stream = _stream(seed, f"{salt}/{secret}")
    if re.fullmatch(r"[0-9a-f]+", secret):
        alphabets = dict.fromkeys(secret, "0123456789abcdef")
    elif re.fullmatch(r"[0-9A-F]+", secret):
        alphabets = dict.fromkeys(secret, "0123456789ABCDEF")
    else:
        alphabets = {}
    if secret.isdigit():
        alphabets = dict.fromkeys(secret, string.digits)
    shape = secret + secret[-1] * max(0, SHORTEST_STANDIN - len(secret))
    kept = "-_." if sum(char.isalnum() for char in secret) * 2 >= len(secret) else ""
    return "".join(char if char in kept else _pick(alphabets.get(char) or _alphabet(char), stream) for char in shape)


def _alphabet(char: str) -> str:
    if char in string.digits:
        return string.digits
    if char in string.ascii_uppercase:
        return string.ascii_uppercase
    return string.ascii_lowercase


def _pick(alphabet: str, stream: Iterator[int]) -> str:
    return alphabet[next(stream) % len(alphabet)]


def _stream(seed: bytes, salt: str) -> Iterator[int]:
    counter = 0
    while True:
        yield from hmac.digest(seed, f"{counter}/{salt}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        counter += 1
