"""Rotation of the keys that only the registry has: of presentations, of its log, of what registries tell each other.

A key that others must know before it signs is rotated in two calls: the first makes it and announces it
(``NAME.next.pem`` beside the present one), the second has it sign. Until then the present one goes on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chassis.auth import read_jwks, signing_key_from_pem
from chassis.auth.keys import signing_keys_from_pem
from chassis.errors import Kind, declare
from chassis.service import Runtime
from chassis.tlog.keys import new_log_key, read_signer, read_verifiers
from chassis.tlog.note import ED25519
from cli.keeping import key_files
from cli.keeping.rotation import NOT_SIGNING

STATEMENTS_LIVE = timedelta(days=31)
"""A statement for offline use is valid for a day at most; what a case keeps of an answer is checked within a month."""
FORMER_KEYS_NOWHERE = declare(
    "FORMER_KEYS_NOWHERE",
    Kind.FAILED_PRECONDITION,
    "未设置 {setting}：旧公钥无处保存",
    "{setting} is not set: there is nowhere to keep the former public key",
)
NOTHING_TO_RETIRE = declare(
    "NOTHING_TO_RETIRE",
    Kind.FAILED_PRECONDITION,
    "{what} 没有旧密钥",
    "{what} has no former key",
)


def rotate_presentation_key(runtime: Runtime, now: datetime) -> dict[str, Any]:
    """Have statements signed with a fresh key; what the key before signed is read until it could not be valid any more."""
    private, published = _presentation(runtime)
    until = int((now + STATEMENTS_LIVE).timestamp())
    return {"key_id": key_files.rotate_signing_key(private, published, until), "announced": False}


def rotate_log_key(runtime: Runtime) -> dict[str, Any]:
    """Announce a fresh key of the log, or have the announced one sign; the key before stays among the former ones."""
    private, origin = _path(runtime, "log_key"), runtime.settings.log_origin  # type: ignore[attr-defined]
    former: Path | None = getattr(runtime.settings, "log_keys", None)
    if former is None:
        raise FORMER_KEYS_NOWHERE(setting="TONGBAN_CERTS_LOG_KEYS")
    with key_files.changing(private):
        fresh = next_of(private)
        if not fresh.is_file():
            key_files.create(fresh, new_log_key().encode(), like=private)
            return _told(str(read_signer(fresh.read_bytes(), origin, ED25519).verifier), announced=True)
        known = [str(each) for each in read_verifiers(former)]
        present = str(read_signer(private.read_bytes(), origin, ED25519).verifier)
        lines = "".join(f"{each}\n" for each in dict.fromkeys((present, *known)))
        key_files.create(former, lines.encode(), like=former if former.is_file() else None)
        key_files.put(private, fresh.read_bytes())
        fresh.unlink()
        return _told(str(read_signer(private.read_bytes(), origin, ED25519).verifier), announced=False)


def rotate_registry_key(runtime: Runtime) -> dict[str, Any]:
    """Announce a fresh key in our peer file, or have the announced one sign what registries are told."""
    private = _path(runtime, "registry_key")
    with key_files.changing(private):
        fresh = next_of(private)
        if not fresh.is_file():
            key_files.create(fresh, key_files.new_signing_pem(), like=private)
            return _told(_kid(fresh), announced=True)
        key_files.put(private, fresh.read_bytes())
        fresh.unlink()
        return _told(_kid(private), announced=False)


def rotate_replica_key(runtime: Runtime) -> dict[str, Any]:
    """Have our peer file name a fresh key to encrypt for us with; those before go on opening until `retire`."""
    private = _path(runtime, "replica_key")
    with key_files.changing(private):
        key_files.put(private, key_files.new_signing_pem() + private.read_bytes())
        return _told(_kid(private), announced=False)


def retire_replica_keys(runtime: Runtime) -> str:
    """Have only the present replica key open; for when every peer has our newer file. Raises NOTHING_TO_RETIRE."""
    private = _path(runtime, "replica_key")
    with key_files.changing(private):
        keys = signing_keys_from_pem(private.read_bytes())
        if len(keys) == 1:
            raise NOTHING_TO_RETIRE(what="replica_key")
        key_files.put(private, bytes(keys[0].as_pem(private=True)))
        return _kid(private)


def revoke_presentation_keys(runtime: Runtime, now: datetime) -> str:
    """Have nothing that former presentation keys signed be valid any more: for a key that became known."""
    return key_files.revoke_token_keys(*_presentation(runtime), now)


def registry_status(runtime: Runtime, now: datetime) -> list[dict[str, Any]]:
    """Return the registry's own keys: which one, its id or verifier key, what it is for now."""
    found: list[dict[str, Any]] = []
    private, published = _path(runtime, "presentation_key"), runtime.settings.presentation_keys  # type: ignore[attr-defined]
    signing = _kid(private)
    found.append(_line("presentation_key", signing, "signs"))
    for key in read_jwks(published).keys if published and published.is_file() else []:
        if key.kid != signing:
            until = key.get("exp")
            is_over = isinstance(until, int) and until <= now.timestamp()
            found.append(_line("presentation_key", str(key.kid), "over" if is_over else "verifies"))
    log_key, origin = _path(runtime, "log_key"), runtime.settings.log_origin  # type: ignore[attr-defined]
    for path, state in ((log_key, "signs"), (next_of(log_key), "announced")):
        if path.is_file():
            verifier = read_signer(path.read_bytes(), origin, ED25519).verifier
            found.append(_line("log_key", str(verifier), state))
    former = getattr(runtime.settings, "log_keys", None)
    found += [_line("log_key", str(each), "verifies") for each in (read_verifiers(former) if former else [])]
    for name in ("registry_key", "replica_key"):
        own: Path | None = getattr(runtime.settings, name, None)
        if own is None:
            continue
        first, *others = signing_keys_from_pem(own.read_bytes())
        state = "signs" if name == "registry_key" else "opens, is announced"
        found.append(_line(name, str(first.kid), state))
        found += [_line(name, str(each.kid), "opens") for each in others]
        if next_of(own).is_file():
            found.append(_line(name, _kid(next_of(own)), "announced"))
    return found


def next_of(private: Path) -> Path:
    """Return where the announced key lies that will take a key's place."""
    return private.with_name(f"{private.stem}.next.pem")


def _presentation(runtime: Runtime) -> tuple[Path, Path]:
    published: Path | None = getattr(runtime.settings, "presentation_keys", None)
    private = _path(runtime, "presentation_key")
    if published is None:
        raise FORMER_KEYS_NOWHERE(setting="TONGBAN_CERTS_PRESENTATION_KEYS")
    return private, published


def _path(runtime: Runtime, name: str) -> Path:
    path: Path | None = getattr(runtime.settings, name, None)
    if path is None:
        raise NOT_SIGNING(service=f"{runtime.service} ({name})")
    return path


def _kid(path: Path) -> str:
    return str(signing_key_from_pem(path.read_bytes()).kid)


def _told(key_id: str, *, announced: bool) -> dict[str, Any]:
    return {"key_id": key_id, "announced": announced}


def _line(key: str, key_id: str, state: str) -> dict[str, Any]:
    return {"key": key, "key_id": key_id, "state": state}
