"""``python -m sidecar`` is ``kometa-sidecar``."""

from __future__ import annotations

from sidecar.cli import main

main()
