"""The gallery's server: static files, live events, the API, login where others can reach it."""

from __future__ import annotations

from sidecar.web.api import Actions, Reviewing, Source, Telling
from sidecar.web.app import make_app
from sidecar.web.auth import check_bind
from sidecar.web.events import Event, Events, Subscription
from sidecar.web.strangers import make_runner

__all__ = ["Actions", "Event", "Events", "Reviewing", "Source", "Subscription", "Telling", "check_bind", "make_app", "make_runner"]
