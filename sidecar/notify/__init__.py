"""Tells people and programs: what a run means (``message``), kept until delivered (``outbox``), sent as JSON (``webhook``)."""

from __future__ import annotations

from sidecar.notify.message import message_of
from sidecar.notify.outbox import Destination, Mailbox, Outbox
from sidecar.notify.webhook import Webhook

__all__ = ["Destination", "Mailbox", "Outbox", "Webhook", "message_of"]
