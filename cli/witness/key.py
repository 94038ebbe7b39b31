"""The private key of a witness: a file of its own directory, made at the first need."""

from __future__ import annotations

from pathlib import Path

from chassis.tlog.keys import new_log_key, read_signer
from chassis.tlog.note import COSIGNATURE, Signer

KEY_FILE = "witness.pem"


def witness_signer(directory: Path, name: str) -> Signer:
    """Return what the witness signs with; its key is made where there is none, readable by its owner only."""
    path = directory / KEY_FILE
    if not path.is_file():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        fresh.touch(mode=0o600)
        fresh.write_text(new_log_key())
        fresh.replace(path)
    return read_signer(path.read_bytes(), name, COSIGNATURE)
