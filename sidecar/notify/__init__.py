"""Tells people and programs what became of an edit.

``notifier`` decides, ``message`` and ``payload`` say it, ``subscription``, ``rules`` and ``session`` choose what each destination gets,
``outbox`` delivers what the store keeps; ``discord``, ``webhook``, ``presets`` and ``apprises`` know the receivers; ``guard`` keeps
requests out of private networks.
"""

from __future__ import annotations

from sidecar.notify.apprises import Apprise
from sidecar.notify.discord import Discord, Style
from sidecar.notify.guard import open_session
from sidecar.notify.message import Teller
from sidecar.notify.notifier import Notifier, brief
from sidecar.notify.payload import schema
from sidecar.notify.presets import SHAPES, Preset
from sidecar.notify.rules import Quiet, Rules
from sidecar.notify.sending import Destination
from sidecar.notify.sheet import Read as ReadPicture
from sidecar.notify.subscription import Subscription
from sidecar.notify.webhook import Webhook

__all__ = [
    "SHAPES",
    "Apprise",
    "Destination",
    "Discord",
    "Notifier",
    "Preset",
    "Quiet",
    "ReadPicture",
    "Rules",
    "Style",
    "Subscription",
    "Teller",
    "Webhook",
    "brief",
    "open_session",
    "schema",
]
