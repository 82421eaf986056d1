from __future__ import annotations

from tests.web.conftest import site, site_files

__all__ = ["site", "site_files"]
