"""Another process of the same user cannot look into the sidecar; one that does not seal itself, it can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.renderer.talk import ROOT

READ = "import sys\nprint(b'PLANTED' in open(f'/proc/{sys.argv[1]}/environ', 'rb').read())"
NOBODY = 65534


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
@pytest.mark.parametrize("sealed", [True, False])
def test_another_process_of_the_same_user_cannot_look_in(sealed: bool, short_dir: Path) -> None:
    """As an ordinary user: root sees everything."""
    package = short_dir / "sidecar"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "secrecy.py").write_text((ROOT / "sidecar" / "secrecy.py").read_text())
    short_dir.chmod(0o755)
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    python = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable  # root's own Python may lie where nobody else can go
    if not Path(python).exists():
        pytest.skip("no Python that an ordinary user can start")
    program = f"from sidecar import secrecy\n{'assert secrecy.seal()' if sealed else ''}\nprint('ready', flush=True)\ninput()"
    env = {"PYTHONPATH": str(short_dir), "TOKEN": "PLANTED", "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen([python, "-c", program], env=env, stdin=pipe, stdout=pipe, text=True, **user) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        seen = subprocess.run([python, "-c", READ, str(holder.pid)], capture_output=True, text=True, check=False, timeout=20, **user)
        holder.communicate("\n", timeout=20)
    if sealed:
        assert "PermissionError" in seen.stderr
    else:
        assert seen.stdout == "True\n"
