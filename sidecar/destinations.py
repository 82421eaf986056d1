"""Notification destinations, from the settings: who is built for each kind, with its rules and its own guarded session."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from aiohttp.abc import AbstractResolver

from sidecar import notify
from sidecar.schedule import zone_of
from sidecar.settings import Destination as Chosen


def subscribe(
    chosen: Iterable[Chosen], read: notify.ReadPicture, resolver: AbstractResolver | None = None
) -> tuple[notify.Subscription, ...]:
    """One subscription per destination; each holds a client session, to be closed.

    ``read`` gives the bytes of a kept picture by its sha256, or None. ``resolver`` is for tests.
    """
    return tuple(
        notify.Subscription(
            destination=_destination(each, read, resolver),
            rules=_rules(each),
            pause=timedelta(seconds=each.session),
            give_up=timedelta(seconds=each.give_up),
        )
        for each in chosen
    )


def _destination(chosen: Chosen, read: notify.ReadPicture, resolver: AbstractResolver | None) -> notify.Destination:
    url = chosen.url.get_secret_value()
    if chosen.what == "apprise":
        return notify.Apprise(chosen.name, url, private=chosen.private, patience=chosen.timeout)
    session = notify.open_session(chosen.private, resolver)
    headers = {name: value.get_secret_value() for name, value in chosen.headers.items()}
    if chosen.what == "discord":
        mentions = chosen.mentions
        style = notify.Style(
            thread=chosen.thread,
            silent=chosen.silent,
            username=chosen.username,
            users=mentions.users if mentions else (),
            roles=mentions.roles if mentions else (),
            mention_on=frozenset(mentions.events) if mentions else frozenset(),
        )
        return notify.Discord(chosen.name, url, session, read=read if chosen.pictures else None, style=style, patience=chosen.timeout)
    if chosen.what == "webhook":
        return notify.Webhook(
            chosen.name,
            url,
            session,
            headers=headers,
            secret=chosen.secret.get_secret_value() if chosen.secret else "",
            template=chosen.template,
            content_type=chosen.content_type,
            patience=chosen.timeout,
        )
    return notify.Preset(chosen.what, chosen.name, url, session, headers=headers, patience=chosen.timeout)


def _rules(chosen: Chosen) -> notify.Rules:
    quiet = chosen.quiet
    return notify.Rules(
        events=frozenset(chosen.events),
        libraries=frozenset(chosen.libraries),
        minimum_pictures=chosen.minimum_pictures,
        minimum_percent=chosen.minimum_percent,
        quiet=notify.Quiet(start=quiet.start, end=quiet.end, zone=zone_of(quiet.zone), let_through=frozenset(quiet.let_through))
        if quiet
        else None,
    )
