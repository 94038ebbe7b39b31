"""Rotation of a service's keys beside its running process: how things stand, wrapping anew, taking out."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from chassis.auth import read_jwks, signing_key_from_pem
from chassis.errors import Kind, declare
from chassis.keyring import KEYRING_KEY_ACTIVE, KEYRING_KEY_UNKNOWN, read_keyring
from chassis.rewrap import AtRest, Rewrapped, count_by_key, rewrap
from chassis.row_codes import count_uncoded, fill_codes
from chassis.service import Runtime
from chassis.settings import DEFAULT_SECRETS_DIR, SECRETS_DIR_VARIABLE
from cli.keeping import key_files
from cli.roots import ROOTS

KEY_STILL_NEEDED = declare(
    "KEY_STILL_NEEDED",
    Kind.FAILED_PRECONDITION,
    "还有 {count} 项内容需要密钥 {key_id}，请先重新加密（keys rewrap）",
    "{count} values still need key {key_id}; run keys rewrap first",
)
NOT_SIGNING = declare(
    "NOT_SIGNING",
    Kind.INVALID_ARGUMENT,
    "{service} 没有这种密钥",
    "{service} has no such key",
)
KEYSTORE_FILE = "tongban_sealsigner_keystore_key"


def at_rest(runtime: Runtime) -> AtRest:
    """Return what a service keeps encrypted."""
    found: AtRest = import_module(ROOTS[runtime.service]).at_rest(runtime)
    return found


async def field_status(runtime: Runtime, now: datetime) -> list[dict[str, Any]]:
    """Return each field key, the active one first: its age in days and how many values and files need it."""
    ring = read_keyring(runtime.settings.field_keys)
    counted = await count_by_key(at_rest(runtime))
    ids = sorted({*ring.keys, *counted}, key=lambda key_id: (key_id != ring.active, key_id))
    return [
        {
            "key_id": key_id,
            "active": key_id == ring.active,
            "in_ring": key_id in ring.keys,
            "age_days": (now - ring.made_at[key_id]).days if key_id in ring.made_at else None,
            "values": counted[key_id],
        }
        for key_id in ids
    ]


async def rewrap_fields(runtime: Runtime, progress: Callable[[str, Rewrapped], None] | None) -> Rewrapped:
    """Have everything under the newest key; passes are repeated until one finds nothing left."""
    total = Rewrapped()
    for _ in range(3):
        done = await rewrap(at_rest(runtime), progress=progress)
        total.values += done.values
        total.files += done.files
        total.unreadable = done.unreadable
        if not done.values and not done.files:
            break
    return total


async def code_rows(runtime: Runtime, now: datetime) -> tuple[int, int]:
    """Give the rows of older releases their integrity codes, once; from then on none may be without.

    Return how many got theirs, and how many are without although none may be: nothing is given to those.
    """
    rest = at_rest(runtime)
    if read_keyring(runtime.settings.field_keys).row_codes_since is not None:
        return 0, await count_uncoded(rest.database, rest.coded)
    given = await fill_codes(rest.database, rest.cipher, rest.coded)
    key_files.require_row_codes(runtime.settings.field_keys, now)
    return given, 0


async def retire_field_key(runtime: Runtime, key_id: str, now: datetime) -> None:
    """Have a key out of the ring once nothing needs it.

    Raises KEY_STILL_NEEDED, KEY_TOO_FRESH, KEYRING_KEY_UNKNOWN, KEYRING_KEY_ACTIVE.
    """
    path = runtime.settings.field_keys
    ring = read_keyring(path)
    if key_id not in ring.keys:
        raise KEYRING_KEY_UNKNOWN(key_id=key_id)
    if key_id == ring.active:
        raise KEYRING_KEY_ACTIVE(key_id=key_id)
    key_files.check_settled(ring, now)  # before counting: afterwards nobody writes with the key any more
    count = (await count_by_key(at_rest(runtime)))[key_id]
    if count:
        raise KEY_STILL_NEEDED(count=count, key_id=key_id)
    key_files.retire_field_key(path, key_id, now)


def token_files(runtime: Runtime) -> tuple[Path, Path]:
    """Return intake's private key and the published key set. Raises NOT_SIGNING for another service."""
    private: Path | None = getattr(runtime.settings, "token_key", None)
    if private is None:
        raise NOT_SIGNING(service=runtime.service)
    return private, runtime.settings.token_keys


def token_status(runtime: Runtime, now: datetime) -> list[dict[str, Any]]:
    """Return each published key: whether it signs, and whether it still opens tokens."""
    private, published = token_files(runtime)
    signing = signing_key_from_pem(private.read_bytes()).kid
    found = []
    for key in read_jwks(published).keys:
        until = key.get("exp")
        opens = not isinstance(until, int) or until > now.timestamp()
        found.append({"key_id": key.kid, "signs": key.kid == signing, "opens_tokens": opens, "until": until})
    return found


def keystore_file(runtime: Runtime) -> Path:
    """Return the secret file of seal's signer, whether it is here or not. Raises NOT_SIGNING for another service.

    In a local stack the secrets of each owner lie beside each other.
    """
    if runtime.service != "seal":
        raise NOT_SIGNING(service=runtime.service)
    ours = Path(os.environ.get(SECRETS_DIR_VARIABLE, DEFAULT_SECRETS_DIR))
    beside = ours.parent / "sealsigner" / KEYSTORE_FILE
    return beside if beside.is_file() else ours / KEYSTORE_FILE


async def keystore_status(runtime: Runtime) -> dict[str, int | None]:
    """Return how many private keys are under the newest secret and how many under another.

    And how many secrets there are, None where their file is not here. Raises SIGNER_UNAVAILABLE.
    """
    from services.seal.app import rewrapping  # noqa: PLC0415 - only seal's

    path = keystore_file(runtime)
    secrets = len(path.read_text(encoding="utf-8").split()) if path.is_file() else None
    signer = rewrapping.open_rewrapping(runtime.settings.signer_socket)  # type: ignore[attr-defined]
    newest, older = await rewrapping.count_keystore(runtime.database, signer)
    return {"secrets": secrets, "newest": newest, "older": older}


async def rewrap_keystore(runtime: Runtime) -> int:
    """Have every private key under the newest secret; return how many changed. Raises SIGNER_UNAVAILABLE."""
    from services.seal.app import rewrapping  # noqa: PLC0415 - only seal's

    keystore_file(runtime)
    signer = rewrapping.open_rewrapping(runtime.settings.signer_socket)  # type: ignore[attr-defined]
    return await rewrapping.rewrap_keystore(runtime.database, signer)


async def retire_keystore_secrets(runtime: Runtime) -> None:
    """Have only the first secret left. Raises KEY_STILL_NEEDED."""
    older = (await keystore_status(runtime))["older"]
    if older:
        raise KEY_STILL_NEEDED(count=older, key_id="keystore")
    key_files.retire_secrets(keystore_file(runtime))
