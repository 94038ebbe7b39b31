"""The keyring of field encryption: one secret file with the master keys, one of them active.

``{"active": "2026-1", "keys": {"2026-1": <base64 of 32 bytes>}, "index_key": <base64 of 32 bytes>}``;
key ids start with the year they were made for.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from chassis.errors import Kind, declare

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


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys by id, which of them encrypts, and the key of the blind indexes."""

    active: str
    keys: dict[str, bytes] = field(repr=False)
    index_key: bytes = field(repr=False)


def new_keyring(now: datetime) -> str:
    """Return the JSON text of a fresh keyring whose first key is named for the year of ``now``."""
    key_id = f"{now.year}-1"
    fresh = [base64.b64encode(os.urandom(KEY_BYTES)).decode() for _ in range(2)]
    return json.dumps({"active": key_id, "keys": {key_id: fresh[0]}, "index_key": fresh[1]}, indent=1)


def with_new_key(text: str, now: datetime) -> str:
    """Return a keyring's JSON text with one more key, now the active one; old keys still decrypt."""
    keyring = parse_keyring(text)
    taken = [key_id for key_id in keyring.keys if key_id.startswith(f"{now.year}-")]
    numbers = [int(key_id[5:]) for key_id in taken if key_id[5:].isdecimal()]
    key_id = f"{now.year}-{max(numbers, default=0) + 1}"
    content = json.loads(text)
    content["keys"][key_id] = base64.b64encode(os.urandom(KEY_BYTES)).decode()
    content["active"] = key_id
    return json.dumps(content, indent=1)


def parse_keyring(text: str) -> Keyring:
    """Return the keyring of a JSON text. Raises KEYRING_MALFORMED, never with key material in it."""
    try:
        content = json.loads(text)
        keys = {str(key_id): _decode(value) for key_id, value in content["keys"].items()}
        keyring = Keyring(str(content["active"]), keys, _decode(content["index_key"]))
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


def _decode(value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error as problem:
        raise ValueError from problem
    if len(key) != KEY_BYTES:
        raise ValueError
    return key
