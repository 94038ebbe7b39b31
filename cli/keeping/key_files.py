"""Changes of key files: one operator at a time, each file replaced in one step."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe

from chassis.auth import new_signing_key, publish_key, signing_key_from_pem
from chassis.auth.tokens import LEEWAY_SECONDS, LIFETIME_SECONDS
from chassis.errors import Kind, declare
from chassis.fresh import LOOK_EVERY_SECONDS
from chassis.keyring import (
    KEYRING_MALFORMED,
    Keyring,
    parse_keyring,
    read_keyring,
    with_new_key,
    with_row_codes,
    without_key,
    write_keyring,
)

NOTICE_SECONDS = int(LOOK_EVERY_SECONDS) + 29
"""After a change every process has noticed it, and what it did with the old key is committed."""
SECRET_BYTES = 32

KEY_CHANGE_RUNNING = declare(
    "KEY_CHANGE_RUNNING",
    Kind.ABORTED,
    "另一操作正在更改密钥文件 {file}",
    "The key file {file} is being changed by someone else",
)
KEY_FILE_UNWRITABLE = declare(
    "KEY_FILE_UNWRITABLE",
    Kind.FAILED_PRECONDITION,
    "密钥文件 {file} 无法读写：{cause}",
    "The key file {file} cannot be read or replaced: {cause}",
)
KEY_TOO_FRESH = declare(
    "KEY_TOO_FRESH",
    Kind.FAILED_PRECONDITION,
    "新密钥启用不足 {seconds} 秒，运行中的服务可能仍在用旧密钥",
    "The new key is in use for less than {seconds} seconds; a running service may still write with the old one",
)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Hold the right to change a key file. Raises KEY_CHANGE_RUNNING, KEY_FILE_UNWRITABLE."""
    try:
        handle = os.open(path.parent, os.O_RDONLY)
    except OSError as problem:
        raise KEY_FILE_UNWRITABLE(file=path.name, cause=type(problem).__name__) from problem
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KEY_CHANGE_RUNNING(file=path.name) from None
        yield
    except (OSError, UnicodeDecodeError) as problem:
        raise KEY_FILE_UNWRITABLE(file=path.name, cause=type(problem).__name__) from problem
    finally:
        os.close(handle)


def rotate_field_key(path: Path, now: datetime) -> Keyring:
    """Have a fresh active field key; the keys before still decrypt. Raises KEYRING_MALFORMED and as `changing`."""
    with changing(path):
        write_keyring(path, with_new_key(path.read_text(encoding="utf-8"), now))
        return read_keyring(path)


def require_row_codes(path: Path, now: datetime) -> None:
    """Have a row without integrity code count as altered from now on. Raises KEYRING_MALFORMED and as `changing`."""
    with changing(path):
        write_keyring(path, with_row_codes(path.read_text(encoding="utf-8"), now))


def retire_field_key(path: Path, key_id: str, now: datetime) -> Keyring:
    """Have a field key out of the ring; the caller has counted that nothing needs it any more.

    Raises KEY_TOO_FRESH, KEYRING_KEY_UNKNOWN, KEYRING_KEY_ACTIVE and as `changing`.
    """
    with changing(path):
        text = path.read_text(encoding="utf-8")
        check_settled(parse_keyring(text), now)
        write_keyring(path, without_key(text, key_id))
        return read_keyring(path)


def check_settled(ring: Keyring, now: datetime) -> None:
    """Return if every process writes with the active key by now. Raises KEY_TOO_FRESH."""
    made_at = ring.made_at.get(ring.active)
    if made_at is not None and (now - made_at).total_seconds() < NOTICE_SECONDS:
        raise KEY_TOO_FRESH(seconds=NOTICE_SECONDS)


def rotate_token_key(private: Path, published: Path, now: datetime) -> str:
    """Have tokens signed with a fresh key; return its id.

    It is published before it signs. The keys before open tokens as long as the longest token lives, and
    verify the receipts they signed for ever. Raises as `changing`.
    """
    until = int(now.timestamp()) + LIFETIME_SECONDS + LEEWAY_SECONDS + NOTICE_SECONDS
    return rotate_signing_key(private, published, until)


def rotate_signing_key(private: Path, published: Path, until: int) -> str:
    """Have a fresh private key, published before it signs; those before are retired at a moment. Return its id.

    Raises as `changing`.
    """
    fresh = new_signing_key()
    with changing(private):
        publish_key(published, signing_key_from_pem(private.read_bytes()))
        publish_key(published, fresh, retire_others_at=until)
        _replace(private, fresh.as_pem(private=True))
    return str(fresh.kid)


def revoke_token_keys(private: Path, published: Path, now: datetime) -> str:
    """Have no key but the present one open tokens, from now on: for a key that became known. Return the present one."""
    with changing(private):
        key = signing_key_from_pem(private.read_bytes())
        publish_key(published, key, retire_others_at=int(now.timestamp()))
    return str(key.kid)


def rotate_secret(path: Path) -> None:
    """Have a fresh secret as the first line of a file; the lines before still open. Raises as `changing`."""
    with changing(path):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
        if not lines:
            raise KEYRING_MALFORMED(cause="the secret is empty")
        _replace(path, "\n".join([token_urlsafe(SECRET_BYTES), *lines]).encode())


def retire_secrets(path: Path) -> None:
    """Have only the first secret left; the caller has counted that nothing needs another. Raises as `changing`."""
    with changing(path):
        _replace(path, path.read_text(encoding="utf-8").splitlines()[0].encode())


def new_signing_pem() -> bytes:
    """Return a fresh P-256 private key as PEM."""
    return bytes(new_signing_key().as_pem(private=True))


def put(path: Path, content: bytes) -> None:
    """Replace a file that is there in one step; who may read it stays. For use under `changing`."""
    _replace(path, content)


def create(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Write a file in one step, readable by whoever reads the other one. For use under `changing`."""
    if not path.is_file():
        path.touch(mode=0o600 if like is None else like.stat().st_mode & 0o777)
    _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    old = path.stat()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(old.st_mode & 0o777)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(fresh, old.st_uid, old.st_gid)
    fresh.replace(path)
