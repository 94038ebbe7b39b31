"""Where the local stack keeps what a verification of its log trusts: the log's key, its witness's memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from chassis.errors import Kind, declare
from chassis.tlog.keys import read_signer, read_verifiers
from chassis.tlog.note import COSIGNATURE, ED25519, Verifier
from cli.local.layout import Layout
from cli.local.state import LOCAL_LOG_ORIGIN, read_state

LOG_KEY_NOT_GIVEN = declare(
    "LOG_KEY_NOT_GIVEN",
    Kind.FAILED_PRECONDITION,
    "请用 --log-key 给出日志验证密钥",
    "Name the log's verifier key with --log-key; what the log says of itself proves nothing",
)
ANCHOR_UNREADABLE = declare(
    "ANCHOR_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "无法读取检查点文件 {path}",
    "Cannot read the checkpoint {path}",
)
WITNESS_NAME = "witness.tongban.local"


def log_origin(layout: Layout) -> str:
    """Return the name of the local stack's log, as its services were told."""
    state = read_state(layout.state_file)
    return state.log_origin if state else LOCAL_LOG_ORIGIN


def local_verifiers(layout: Layout) -> list[Verifier]:
    """Return the verifiers of the local stack's log, the present one first. Raises LOG_KEY_NOT_GIVEN, LOG_KEY_MALFORMED."""
    present = verifier_of(layout.secrets("certs") / "log_key.pem", log_origin(layout))
    return [present, *read_verifiers(layout.log_keys)]


def verifier_of(log_key: Path, origin: str) -> Verifier:
    """Return the verifier of a log by its private key. Raises LOG_KEY_NOT_GIVEN, LOG_KEY_MALFORMED."""
    try:
        return read_signer(log_key.read_bytes(), origin, ED25519).verifier
    except OSError:
        raise LOG_KEY_NOT_GIVEN() from None


def witness_verifier(key: Path) -> Verifier:
    """Return the verifier of the local stack's witness. Raises LOG_KEY_MALFORMED."""
    return read_signer(key.read_bytes(), WITNESS_NAME, COSIGNATURE).verifier


def read_anchors(files: Sequence[Path], witness: Path | None) -> list[str]:
    """Return checkpoints kept elsewhere: notes in files, what a witness saw last, the evidence it kept.

    Raises ANCHOR_UNREADABLE.
    """
    found = [_text(each) for each in files]
    if witness is None:
        return found
    seen = witness / "seen.json"
    if seen.is_file():
        found += [each["note"] for each in json.loads(_text(seen)).values()]
    for each in sorted((witness / "evidence").glob("*.txt")):
        found += _pair(_text(each))
    return found


def _pair(text: str) -> list[str]:
    """Return the two notes of an evidence file: a note ends with its signature lines, then an empty line."""
    parts = text.split("\n\n")
    middle = len(parts) // 2
    return ["\n\n".join(parts[:middle]) + "\n", "\n\n".join(parts[middle:])]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        raise ANCHOR_UNREADABLE(path=path.name) from None
