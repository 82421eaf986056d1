"""The gateway: the only way from a renderer to anything. Default deny; writes to Plex are kept, never sent.

A renderer's request comes over a unix socket with a grant (a random token that is all it knows). Pure modules decide:
``canonical`` (one form of the request), ``policy`` (the table), ``admit`` (other hosts), ``scope`` (what may be seen),
``capture`` (what was uploaded). ``plex`` and ``egress`` are the two ways out; the real token and keys are put in there.
``reads`` keeps what Plex answered for as long as ``freshness`` vouches for it.
"""

from __future__ import annotations

from sidecar.gateway.egress import Mode
from sidecar.gateway.grants import Sink
from sidecar.gateway.server import Gateway, Limits

__all__ = ["Gateway", "Limits", "Mode", "Sink"]
