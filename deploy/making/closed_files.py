"""Files that only one user can read: the one the containers run as."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTAINER_ID = 10001
"""User and group of the containers when root runs this; else they are those of whoever runs it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns the files and is the user in the containers: a secret file has one reader."""

    uid: int
    gid: int

    @classmethod
    def current(cls) -> Owner:
        """Return the caller, or the fixed unprivileged owner when that is root."""
        return cls(CONTAINER_ID, CONTAINER_ID) if os.getuid() == 0 else cls(os.getuid(), os.getgid())


def write(path: Path, content: str) -> None:
    """Make a file that only its owner can read, never one that others could read for a moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)


def replace(path: Path, content: bytes, mode: int) -> None:
    """Put a file in the place of another in one step; a part of it is never read, nor by others."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    fresh.chmod(mode)
    fresh.replace(path)


def hand_over(top: Path, owner: Owner) -> None:
    """Make the owner that of the path and of all below it; only root can and needs to. What is theirs is not touched."""
    if os.getuid() == 0:
        for path in walk(top):
            seen = path.stat()
            if (seen.st_uid, seen.st_gid) != (owner.uid, owner.gid):
                os.chown(path, owner.uid, owner.gid)


def walk(top: Path) -> Iterator[Path]:
    """Yield a path and everything below it."""
    yield top
    yield from top.rglob("*")
