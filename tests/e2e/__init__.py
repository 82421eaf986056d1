"""Tests of the whole: a daemon, a Kometa, the demo."""

import pytest

pytest.register_assert_rewrite("tests.e2e.compare", "tests.e2e.house")
