"""The keyring of field encryption: one secret file with the master keys, one of them active.

``{"active": "2026-1", "keys": {"2026-1": <base64 of 32 bytes>}, "index_key": <base64 of 32 bytes>}``;
key ids start with the year they were made for. ``made_at`` (optional) says when each key was added,
``row_codes_since`` (optional) since when no row may be without its integrity code (`chassis.row_codes`).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chassis.errors import Kind, declare
from chassis.fresh import LOOK_EVERY_SECONDS, FreshFiles

KEY_BYTES = 32
_KEY_ID = re.compile(r"20[0-9]{2}-[0-9a-z]{1,8}")

KEYRING_MALFORMED = declare(
    "KEYRING_MALFORMED", Kind.INTERNAL, "字段密钥文件有误：{cause}", "The field keyring is wrong: {cause}"
)
KEYRING_KEY_UNKNOWN = declare(
    "KEYRING_KEY_UNKNOWN",
    Kind.INTERNAL,
    "字段密钥 {key_id} 不在密钥文件中",
    "Field key {key_id} is not in the keyring",
)
KEYRING_KEY_ACTIVE = declare(
    "KEYRING_KEY_ACTIVE",
    Kind.FAILED_PRECONDITION,
    "字段密钥 {key_id} 仍是当前密钥，请先轮换",
    "Field key {key_id} is the one that encrypts; rotate first",
)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys by id, which of them encrypts, and the key of the blind indexes."""

    active: str
    keys: dict[str, bytes] = field(repr=False)
    index_key: bytes = field(repr=False)
    made_at: Mapping[str, datetime] = field(default_factory=dict)
    """When each key was added, as far as the file says."""
    row_codes_since: datetime | None = None
    """From when on a row without integrity code is an altered row; None while older releases' rows are there."""


def new_keyring(now: datetime) -> str:
    """Return the JSON text of a fresh keyring whose first key is named for the year of ``now``."""
    key_id = f"{now.year}-1"
    content = {
        "active": key_id,
        "keys": {key_id: _new_key()},
        "index_key": _new_key(),
        "made_at": {key_id: now.astimezone(UTC).isoformat()},
        "row_codes_since": now.astimezone(UTC).isoformat(),
    }
    return json.dumps(content, indent=1)


def with_new_key(text: str, now: datetime) -> str:
    """Return a keyring's JSON text with one more key, now the active one; old keys still decrypt."""
    keyring = parse_keyring(text)
    taken = [key_id for key_id in {*keyring.keys, *keyring.made_at} if key_id.startswith(f"{now.year}-")]
    numbers = [int(key_id[5:]) for key_id in taken if key_id[5:].isdecimal()]
    key_id = f"{now.year}-{max(numbers, default=0) + 1}"
    content = json.loads(text)
    content["keys"][key_id] = _new_key()
    content["active"] = key_id
    content.setdefault("made_at", {})[key_id] = now.astimezone(UTC).isoformat()
    return json.dumps(content, indent=1)


def with_row_codes(text: str, now: datetime) -> str:
    """Return a keyring's JSON text by which every row has its integrity code from now on; said once."""
    content = json.loads(text)
    content.setdefault("row_codes_since", now.astimezone(UTC).isoformat())
    return json.dumps(content, indent=1)


def without_key(text: str, key_id: str) -> str:
    """Return a keyring's JSON text without one key; its id, kept in ``made_at``, is never given again.

    Raises KEYRING_KEY_UNKNOWN, KEYRING_KEY_ACTIVE.
    """
    keyring = parse_keyring(text)
    if key_id not in keyring.keys:
        raise KEYRING_KEY_UNKNOWN(key_id=key_id)
    if key_id == keyring.active:
        raise KEYRING_KEY_ACTIVE(key_id=key_id)
    content = json.loads(text)
    del content["keys"][key_id]
    content.setdefault("made_at", {}).setdefault(
        key_id, datetime(int(key_id[:4]), 1, 1, tzinfo=UTC).isoformat()
    )
    return json.dumps(content, indent=1)


def parse_keyring(text: str) -> Keyring:
    """Return the keyring of a JSON text. Raises KEYRING_MALFORMED, never with key material in it."""
    try:
        content = json.loads(text)
        keys = {str(key_id): _decode(value) for key_id, value in content["keys"].items()}
        made_at = {str(key_id): _moment(value) for key_id, value in content.get("made_at", {}).items()}
        coded = content.get("row_codes_since")
        keyring = Keyring(
            str(content["active"]),
            keys,
            _decode(content["index_key"]),
            made_at,
            None if coded is None else _moment(coded),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise KEYRING_MALFORMED(cause=type(problem).__name__) from None
    if keyring.active not in keys:
        raise KEYRING_MALFORMED(cause="the active key is missing")
    if not all(_KEY_ID.fullmatch(key_id) for key_id in keys):
        raise KEYRING_MALFORMED(cause="a key id is not <year>-<number>")
    return keyring


def read_keyring(path: Path) -> Keyring:
    """Return the keyring of a secret file. Raises KEYRING_MALFORMED."""
    try:
        return parse_keyring(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise KEYRING_MALFORMED(cause=f"{path.name}: {type(problem).__name__}") from problem


class LiveKeyring:
    """The keyring of a file that may be replaced while the process runs."""

    def __init__(self, path: Path, *, look_every_seconds: float = LOOK_EVERY_SECONDS) -> None:
        """Read it once. Raises KEYRING_MALFORMED."""
        read_keyring(path)
        self._file = FreshFiles([path], lambda: read_keyring(path), look_every_seconds=look_every_seconds)

    def current(self) -> Keyring:
        """Return the keyring, at most a second old."""
        return self._file.current()

    def look(self) -> Keyring:
        """Return the keyring as the file is now: for a value under a key that is not known yet."""
        return self._file.look()


def write_keyring(path: Path, text: str) -> None:
    """Replace a keyring file in one step, readable by its owner only. Raises KEYRING_MALFORMED, OSError."""
    parse_keyring(text)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _keep_owner(path, fresh)
    fresh.replace(path)


def _keep_owner(path: Path, fresh: Path) -> None:
    """Have the new file belong to whom the old one did: the operator is not the service's user."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    fresh.chmod(old.st_mode & 0o777)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(fresh, old.st_uid, old.st_gid)


def _new_key() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _decode(value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error as problem:
        raise ValueError from problem
    if len(key) != KEY_BYTES:
        raise ValueError
    return key
