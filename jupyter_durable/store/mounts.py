"""On what kind of file system a path lies: WAL needs shared memory and locks that network file systems do not give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

NETWORK: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs",
        "fuse.mount.nfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
        "nfs4", "orangefs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs",
    }
)  # fmt: skip
"""Types, as /proc names them, on which a store must not use WAL."""


def filesystem_of(path: str, mountinfo: str) -> str:
    """Type of the file system that holds `path`, from the text of /proc/self/mountinfo; "" when none matches.

    `path` is absolute, without symbolic links. Of several mounts on one point the last one counts.
    """
    best, found = -1, ""
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])
        prefix = point if point.endswith("/") else point + "/"
        if (path + "/").startswith(prefix) and len(prefix) >= best:
            best, found = len(prefix), right.split(" ")[0]
    return found


def is_network(path: Path) -> bool:
    """Whether `path` lies on a network file system. Where the system does not say (no /proc): False."""
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return filesystem_of(str(path.resolve()), mountinfo) in NETWORK
