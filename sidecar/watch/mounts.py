"""On what kind of file system does a path lie? Pure, but for one reader of /proc/self/mountinfo."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

_REMOTE: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "smb2", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "beegfs"),
        *("9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "osxfs", "fakeowner", "grpcfuse", "davfs", "fuse"),
    }
)
"""Others can write there without this kernel's knowing, and inotify tells only what this kernel does."""

_LOCAL_FUSE: Final = frozenset({"fuseblk", "fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.lxcfs", "fuse.portal", "fuse.gvfsd-fuse"})


class Mount(NamedTuple):
    """One line of mountinfo, as far as it matters."""

    point: PurePosixPath
    fstype: str


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """Mounts in the order of ``text``; lines that are none are passed over.

    Format (proc_pid_mountinfo(5)): ``ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - FSTYPE SOURCE SUPEROPTIONS``, with blank,
    tab, newline and backslash as octal escapes.
    """
    mounts = []
    for line in text.splitlines():
        fields, dash, rest = line.partition(" - ")
        parts, kind = fields.split(" "), rest.split(" ")[0]
        if dash and len(parts) >= 6 and kind:
            mounts.append(Mount(PurePosixPath(_unescape(parts[4])), kind))
    return tuple(mounts)


def fstype_of(path: PurePosixPath, mounts: tuple[Mount, ...]) -> str:
    """The file system of an absolute path without links; of mounts one over another the last counts. Empty where none fits."""
    best: Mount | None = None
    for mount in mounts:
        if path.is_relative_to(mount.point) and (best is None or len(mount.point.parts) >= len(best.point.parts)):
            best = mount
    return best.fstype if best else ""


def needs_polling(fstype: str) -> bool:
    """Can files on it change without an inotify event here?"""
    return fstype in _REMOTE or (fstype.startswith("fuse.") and fstype not in _LOCAL_FUSE)


def read_mounts() -> tuple[Mount, ...]:
    """This process's mounts; none where the system has no such file."""
    try:
        return parse_mountinfo(Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape"))
    except OSError:
        return ()


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
