"""What another user meets, who may see less: tests run as root, or as whoever owns all that they make."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

NOBODY = 65534


@contextlib.contextmanager
def somebody_else() -> Iterator[None]:
    """Within, this process has another user's rights. Skips the test where it is not root's. Import what is needed before."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
