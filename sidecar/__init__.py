"""kometa-sidecar: real Kometa overlay previews, without a single write to Plex.

The flow, one direction:

    watch -> Revision -> plan -> RenderJob -> engine(worker) -> Capture -> Run -> publish -> notify
                                     |            ^
                                     |  unix      |  every HTTP request of Kometa, whatever its host
                                     v            v
                                   gateway: grant -> plex (allow-list, scope, capture, cache) | egress (allow-list, cache)

Each stage is a folder that knows ``model`` and ``errors`` and no other stage; ``pipeline`` leads the flow through
them and ``app`` is the only place where they are built and joined.
"""

from __future__ import annotations

__version__ = "0.1.0"
