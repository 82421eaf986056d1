"""The gallery's server: static files, live events, a small API, login where others can reach it."""

from __future__ import annotations

from sidecar.web.app import make_app
from sidecar.web.auth import check_bind
from sidecar.web.events import Event, Events, Subscription
from sidecar.web.routes import Actions

__all__ = ["Actions", "Event", "Events", "Subscription", "check_bind", "make_app"]
