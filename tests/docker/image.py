"""Makes a worker image where no registry can be reached: a root filesystem of this machine's Python, its libraries and a Kometa.

Laid out like the official image (kometa.py in /, ``python3`` on the path), then built upon with renderer/Dockerfile itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.cold import KometaInstall

ROOT: Final = Path(__file__).parents[2]
LEFT_OUT: Final = re.compile(
    r"/(__pycache__|test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|site-packages|config-[^/]*)(/|$)|\.(a|pyc|h|pyi)$"
)
PASSWD: Final = b"root:x:0:0:root:/:/nologin\nworker:x:1000:1000:worker:/tmp:/nologin\n"
ABOUT: Final = """
import importlib.metadata, json, re, site, sys, sysconfig
wanted, seen = sys.argv[1:], {}
while wanted:
    name = re.sub("[-_.]+", "-", wanted.pop()).lower()
    if name in seen: continue
    try: found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError: continue
    seen[name] = [str(found.locate_file(path)) for path in found.files or () if ".." not in str(path)]
    wanted += [re.split("[^A-Za-z0-9._-]", need)[0] for need in found.requires or () if "extra ==" not in need]
print(json.dumps({"python": sys.executable, "base": sys.base_prefix, "real": sys._base_executable, "stdlib": sysconfig.get_path("stdlib"),
    "packages": sysconfig.get_path("purelib"), "platform": sysconfig.get_path("platlib"), "files": [f for fs in seen.values() for f in fs],
    "version": sys.version, "names": sorted(seen)}))
"""


def worker_image(kometa: KometaInstall) -> str:
    """The name of a worker image of ``kometa``, built unless Docker has it."""
    about = _about(kometa)
    base = f"kometa-sidecar-test/{kometa.kind}"
    tag = hashlib.sha256(json.dumps([about["version"], about["names"], *_stamps(kometa.home)]).encode()).hexdigest()[:12]
    if _docker("image", "inspect", f"{base}:{tag}").returncode:
        changes = ["ENV PATH=/usr/local/bin", "ENV KOMETA_DOCKER=True", "ENV LANG=C.UTF-8"]
        arguments = [word for change in changes for word in ("--change", change)]
        with subprocess.Popen(["docker", "import", *arguments, "-", f"{base}:{tag}"], stdin=subprocess.PIPE) as importing:
            assert importing.stdin is not None
            with tarfile.open(fileobj=importing.stdin, mode="w|") as tar:
                _fill(tar, kometa, about)
        assert importing.returncode == 0
    # Named by what is in it: others may be testing another renderer beside us.
    code = [path.read_bytes() for path in sorted((ROOT / "renderer").glob("*")) if path.is_file()]
    name = f"kometa-sidecar-test-worker:{kometa.kind}-{hashlib.sha256(tag.encode() + b''.join(code)).hexdigest()[:12]}"
    if not _docker("image", "inspect", name).returncode:
        return name
    command = ["build", "--network", "none", "-q", "-f", "renderer/Dockerfile", "-t", name]
    command += ["--build-arg", f"KOMETA_IMAGE={base}", "--build-arg", f"KOMETA_TAG={tag}", "."]
    built = _docker(*command)
    assert built.returncode == 0, built.stderr
    return name


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    return subprocess.run(["docker", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)


def _about(kometa: KometaInstall) -> dict[str, object]:
    """What this Kometa's Python is and which packages it needs, from that Python."""
    needs = re.findall(r"(?m)^[A-Za-z0-9._-]+", (kometa.home / "requirements.txt").read_text())
    told = subprocess.run([kometa.python, "-c", ABOUT, *needs], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, object] = json.loads(told.stdout)
    return found


def _stamps(home: Path) -> Iterator[list[object]]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield [str(path.relative_to(home)), path.stat().st_size, path.stat().st_mtime_ns]


def _fill(tar: tarfile.TarFile, kometa: KometaInstall, about: dict[str, object]) -> None:
    python, stdlib = Path(str(about["real"])).resolve(), Path(str(about["stdlib"]))
    binaries = [python]
    tar.add(python, arcname=str(python))
    for path in stdlib.rglob("*"):
        if path.is_file() and not LEFT_OUT.search(str(path.relative_to(stdlib.parent))):
            tar.add(path, arcname=str(path))
            binaries += [path] if path.suffix == ".so" else []
    roots = (str(about["packages"]), str(about["platform"]))
    files = about["files"]
    assert isinstance(files, list)
    for name in sorted(set(files)):
        path = Path(name)
        inside = next((os.path.relpath(path, root) for root in roots if path.is_relative_to(root)), None)
        if inside is None or not path.is_file() or "__pycache__" in path.parts:
            continue
        tar.add(path, arcname=str(stdlib / "site-packages" / inside))
        binaries += [path] if ".so" in path.name else []
    for library in sorted(_libraries(binaries)):
        tar.add(library.resolve(), arcname=str(library))
    for path in sorted(kometa.home.rglob("*")):
        if (
            path.is_file()
            and "__pycache__" not in path.parts
            and "venv" not in path.parts
            and path.relative_to(kometa.home).parts[0] != "config"
        ):
            tar.add(path, arcname=str(path.relative_to(kometa.home)))
    for link in ("python3", "python"):
        _put(tar, f"usr/local/bin/{link}", tarfile.SYMTYPE, target=str(python))
    for folder in ("proc", "sys", "dev", "etc", "tmp", "config"):
        _put(tar, folder, tarfile.DIRTYPE)
    _put(tar, "etc/passwd", tarfile.REGTYPE, PASSWD)


def _put(tar: tarfile.TarFile, name: str, kind: bytes, content: bytes = b"", *, target: str = "") -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, target, len(content)
    entry.mode = 0o644 if kind == tarfile.REGTYPE else 0o755
    tar.addfile(entry, io.BytesIO(content))


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """The shared libraries, and the loader, that ``binaries`` are linked with; those that lie beside a package's are in it already."""
    told = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False, timeout=120).stdout
    found = {Path(match) for match in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE)}
    return {path for path in found if "site-packages" not in path.parts}
