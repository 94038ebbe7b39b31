"""The openssl command as a judge: SM2 there needs the signer's ID by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.stacks.needs import unavailable

IDENTITY = "distid:1234567812345678"


def openssl(directory: Path, *words: str, **files: bytes) -> tuple[bool, str]:
    """Write the files to the directory, run the command there, and return whether it agreed and what it printed."""
    command = shutil.which("openssl")
    if command is None:
        unavailable("openssl is not installed")
    for name, data in files.items():
        (directory / name).write_bytes(data)
    done = subprocess.run(
        [command, *words],
        cwd=directory,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr
