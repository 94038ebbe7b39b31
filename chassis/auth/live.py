"""Signing keys and key sets that may be replaced while a process runs.

Rotation: the new public key is published beside the old one first, then the private key is replaced.
The old key's entry gets ``exp`` (as in OpenID Federation's historical keys): from then on it opens no
token any more, but still verifies the receipts that it signed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

from joserfc.jwk import ECKey, KeySet

from chassis.auth.keys import public_keys, read_jwks, signing_key_from_pem, write_jwks
from chassis.fresh import LOOK_EVERY_SECONDS, FreshFiles

RETIRES_AT = "exp"


class SigningKeyFile:
    """The private key of a PEM file, as it is now; call it for the key."""

    def __init__(self, path: Path, *, look_every_seconds: float = LOOK_EVERY_SECONDS) -> None:
        """Read it once. Raises ValueError, OSError."""
        self._file = FreshFiles(
            [path], lambda: signing_key_from_pem(path.read_bytes()), look_every_seconds=look_every_seconds
        )

    def __call__(self) -> ECKey:
        """Return the key, at most a second old."""
        return self._file.current()


class PublishedKeys:
    """The public keys of a JWKS file as it is now, with the own key though it be not published yet."""

    def __init__(
        self,
        path: Path,
        own: Callable[[], ECKey] | None = None,
        *,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        """Read it once. Raises ValueError, OSError; a missing file is no mistake where there is an own key."""
        self._own = own
        self._file = (
            FreshFiles([path], lambda: read_jwks(path), look_every_seconds=look_every_seconds)
            if own is None or path.is_file()
            else None
        )
        self._joined: tuple[KeySet | None, ECKey, KeySet] | None = None

    def current(self) -> KeySet:
        """Return the keys, at most a second old; the same object until they change."""
        return self._with_own(self._file.current() if self._file else None)

    def look(self) -> KeySet:
        """Return the keys as the file is now: for a token under a key that is not known yet."""
        return self._with_own(self._file.look() if self._file else None)

    def _with_own(self, published: KeySet | None) -> KeySet:
        if self._own is None:
            assert published is not None, "without an own key there is a file"
            return published
        own, joined = self._own(), self._joined
        if joined is None or joined[0] is not published or joined[1] is not own:
            others = [each for each in (published.keys if published else []) if each.kid != own.kid]
            together = KeySet([*public_keys([own]).keys, *others])
            joined = self._joined = (published, own, together)
        return joined[2]


KeySource: TypeAlias = ECKey | Callable[[], ECKey]
"""A key, or what gives the one that signs now."""
KeysSource: TypeAlias = KeySet | PublishedKeys
"""Keys, or the file that may change."""


def key_of(source: KeySource) -> ECKey:
    """Return the key that signs now."""
    return source if isinstance(source, ECKey) else source()


def keys_of(source: KeysSource) -> KeySet:
    """Return the keys that verify now."""
    return source if isinstance(source, KeySet) else source.current()


def retired(keys: KeySet, kid: object, now: float) -> bool:
    """Tell whether a key of the set opens no tokens any more; ``now`` in seconds since the epoch."""
    found = next((key for key in keys.keys if key.kid == kid), None)
    until = found.get(RETIRES_AT) if found is not None else None
    return isinstance(until, int) and until <= now


def publish_key(path: Path, key: ECKey, *, retire_others_at: int | None = None) -> None:
    """Have the public half of a key in a JWKS file beside those that are there.

    With ``retire_others_at`` (seconds since the epoch) the others open no tokens from then on; an
    earlier moment that a key has already stays. Raises ValueError for a file that is no JWKS.
    """
    key.ensure_kid()
    known = read_jwks(path).keys if path.is_file() else []
    others = [cast("ECKey", each) for each in known if each.kid != key.kid]
    if retire_others_at is not None:
        others = [_until(each, retire_others_at) for each in others]
    write_jwks([key, *others], path)


def _until(key: ECKey, moment: int) -> ECKey:
    content: dict[str, Any] = dict(key.as_dict(private=False))
    known = content.get(RETIRES_AT)
    content[RETIRES_AT] = min(known, moment) if isinstance(known, int) else moment
    return ECKey.import_key(cast("Any", content))
