"""What large allocations of threads took goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, sys
from concurrent.futures import ThreadPoolExecutor
from sidecar.memory import give_back, one_heap

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Rss:")) / 1024

def churn(number):
    return [bytes(20_000 + number) for _ in range(1500)]  # below malloc's threshold for pages of their own

before = resident()
if not one_heap():
    print("no mallopt")
    sys.exit()
with ThreadPoolExecutor(4) as pool:
    kept = list(pool.map(churn, range(8)))
most = resident()
last = kept[-1][-1]
del kept
assert give_back()
print(round(most - before), round(resident() - before))
"""


def test_memory_is_given_back() -> None:
    out = subprocess.run([sys.executable, "-c", PROGRAM], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True).stdout
    if out.startswith("no"):
        pytest.skip("the C library has no mallopt")
    most, left = map(int, out.split())
    assert most > 150
    assert left < most / 4
