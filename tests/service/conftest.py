from __future__ import annotations

from tests.web.conftest import site_files

__all__ = ["site_files"]
