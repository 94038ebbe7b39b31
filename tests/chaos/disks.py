"""A small disk of its own below a stack's home, to be filled to the last byte: tmpfs, so root is needed."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from tests.stacks.needs import unavailable

_CHUNK = b"\0" * (1 << 20)


class SmallDisk:
    """A tmpfs of a given size mounted at a directory."""

    def __init__(self, place: Path, size_mebibytes: int) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_mebibytes}m,mode=0755", "tongban-test", place],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode:
            unavailable(f"no small disk to be had: {mounted.stderr.strip()}")

    def fill(self) -> None:
        """Leave no byte free."""
        with contextlib.suppress(OSError), (self.place / "ballast").open("ab", buffering=0) as file:
            while True:
                file.write(_CHUNK)
        with contextlib.suppress(OSError), (self.place / "ballast").open("ab", buffering=0) as file:
            while True:
                file.write(_CHUNK[:4096])

    def free(self) -> None:
        """Have the room back."""
        (self.place / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount, whoever still holds something open."""
        subprocess.run(["umount", "--lazy", self.place], check=False, capture_output=True)
