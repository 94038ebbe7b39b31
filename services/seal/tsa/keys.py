"""The authority's keys: made here, encrypted at rest, certified by the maker through a directory both can see.

In the authority's own directory ``<key_id>.key`` is the wrapped private half. In the exchange directory it leaves
``<key_id>.request`` for the maker and finds ``<key_id>.der``, the certificate, once that has been at work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from chassis.event import new_event_id
from services.seal.domain.certificates import CertificateError, read_certificate
from services.seal.domain.stamping_keys import StampingRequest, read_stamping_request, stamping_request
from services.seal.domain.suite import Suite, Suites
from services.seal.tsa.authority import StampingKey

RENEW_BEFORE = timedelta(days=60)
"""A key whose certificate ends sooner gets a successor, with a certificate of its own."""
_KEY, _REQUEST, _CERTIFICATE = ".key", ".request", ".der"
_PURPOSE = frozenset({"time_stamping"})


class Wrapping(Protocol):
    """Encrypts private keys at rest."""

    def wrap(self, key_id: str, private_key: bytes) -> bytes:
        """Return the encrypted key, bound to its id."""
        ...

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Return the private key. Raises KEYSTORE_UNREADABLE."""
        ...


@dataclass(frozen=True, slots=True)
class _Certified:
    request: StampingRequest
    certificate: bytes
    not_before: datetime
    not_after: datetime


class TsaKeys:
    """The keys in one directory and what the maker knows of them in another."""

    def __init__(self, directory: Path, exchange: Path, wrapping: Wrapping, suites: Suites) -> None:
        self._directory, self._exchange = directory, exchange
        self._wrapping, self._suites = wrapping, suites

    def prepare(self, suites: Iterable[Suite], now: datetime) -> list[str]:
        """Have a key with a request for each suite, and a successor for one that ends soon; return the new ids."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._exchange.mkdir(mode=0o770, parents=True, exist_ok=True)
        return [self._make(suite) for suite in suites if not self._provided(suite, now)]

    def usable(self, now: datetime) -> list[StampingKey]:
        """Return the newest certified key of each suite that is valid now. Raises KEYSTORE_UNREADABLE."""
        best: dict[str, _Certified] = {}
        for each in self._certified():
            known = best.get(each.request.suite)
            if each.not_before <= now <= each.not_after and (
                known is None or each.not_after > known.not_after
            ):
                best[each.request.suite] = each
        return [self._open(each) for each in best.values()]

    def _provided(self, suite: Suite, now: datetime) -> bool:
        """Return whether a key waits for its certificate, or has one that lasts."""
        certified = {each.request.key_id: each for each in self._certified()}
        requests = [each for each in self._requests() if each.suite == suite.name]
        return any(
            each.key_id not in certified or certified[each.key_id].not_after - now > RENEW_BEFORE
            for each in requests
        )

    def _make(self, suite: Suite) -> str:
        private_key, key_id = suite.generate_key(), str(new_event_id())
        request = stamping_request(suite.name, key_id, suite.open_key(private_key))
        _write(self._directory / f"{key_id}{_KEY}", self._wrapping.wrap(key_id, private_key), 0o600)
        _write(self._exchange / f"{key_id}{_REQUEST}", request, 0o640)
        return key_id

    def _open(self, each: _Certified) -> StampingKey:
        suite = self._suites.by_name(each.request.suite)
        assert suite is not None, "requests of other suites are not read"
        key_id = each.request.key_id
        wrapped = (self._directory / f"{key_id}{_KEY}").read_bytes()
        return StampingKey(suite, suite.open_key(self._wrapping.unwrap(key_id, wrapped)), each.certificate)

    def _requests(self) -> Iterator[StampingRequest]:
        """Yield the requests of the keys that are here."""
        for path in sorted(self._exchange.glob(f"*{_REQUEST}")):
            request = read_stamping_request(path.read_bytes(), self._suites)
            if request is not None and (self._directory / f"{request.key_id}{_KEY}").is_file():
                yield request

    def _certified(self) -> Iterator[_Certified]:
        for request in self._requests():
            try:
                data = (self._exchange / f"{request.key_id}{_CERTIFICATE}").read_bytes()
                certificate = read_certificate(data)
            except (OSError, CertificateError):
                continue
            purpose = certificate.extended_key_usage, certificate.extended_key_usage_is_critical
            if certificate.public_key == request.public_key and purpose == (_PURPOSE, True):
                yield _Certified(request, data, certificate.not_before, certificate.not_after)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put the file there whole; a key is never readable by others, not even for a moment."""
    fresh = path.with_name(f".{path.name}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
