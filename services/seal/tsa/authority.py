"""Answering one request: a token with a unique serial number and a time that never goes back, or the reason why not."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import Fault
from chassis.logs import get_logger
from chassis.telemetry import counter
from services.seal.domain.certificates import Certificate, read_certificate
from services.seal.domain.suite import SigningKey, Suite, Suites
from services.seal.domain.timestamps import (
    Failure,
    RequestError,
    TimestampRequest,
    TokenWriter,
    read_request,
    write_grant,
    write_refusal,
)
from services.seal.tsa.forward_clock import ForwardClock

POLICY_OID = "2.25.198436247029853106872549203218865730914"
"""The policy that tokens state unless another is set: time of this machine, one second (an OID from a UUID, X.667)."""
ACCURACY_SECONDS = 1
TOKENS = counter("tsa_tokens", "Time-stamp tokens handed out, by kind of key", ("kind",))
REFUSALS = counter("tsa_refusals", "Requests that got no token, by the failure named", ("reason",))
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StampingKey:
    """A key of the authority with its certificate, open for use."""

    suite: Suite
    key: SigningKey
    certificate: bytes


class StampingAuthority:
    """Stamps with one key per suite; the request's digest chooses. Usable from several threads."""

    def __init__(
        self,
        suites: Suites,
        clock: ForwardClock,
        *,
        policy_oid: str = POLICY_OID,
        accuracy_seconds: int = ACCURACY_SECONDS,
    ) -> None:
        self._suites, self._clock = suites, clock
        self._policy_oid, self._accuracy_seconds = policy_oid, accuracy_seconds
        self._writers: dict[str, tuple[TokenWriter, Certificate]] = {}

    def use(self, keys: Iterable[StampingKey]) -> None:
        """Stamp with these keys from now on, one per suite."""
        self._writers = {
            each.suite.name: (self._writer(each), read_certificate(each.certificate)) for each in keys
        }

    @property
    def suites(self) -> tuple[str, ...]:
        """The names of the suites that are stamped with."""
        return tuple(self._writers)

    def days_left(self, now: datetime) -> float | None:
        """Return the days until the first of the certificates in use ends; None without any."""
        ends = [certificate.not_after for _, certificate in self._writers.values()]
        return (min(ends) - now) / timedelta(days=1) if ends else None

    def answer(self, request: bytes) -> bytes:
        """Return the DER TimeStampResp: a token, or the failure that RFC 3161 2.4.2 has for what is wrong."""
        try:
            asked = read_request(request, self._suites)
            token = self._token(asked)
        except RequestError as refusal:
            REFUSALS.labels(refusal.failure.name.lower()).inc()
            return write_refusal(refusal.failure, str(refusal))
        except (Fault, OSError) as problem:
            _log.exception("stamping_failed", cause=type(problem).__name__)
            REFUSALS.labels(Failure.SYSTEM_FAILURE.name.lower()).inc()
            return write_refusal(Failure.SYSTEM_FAILURE, "no token can be made")
        TOKENS.labels(asked.suite.name).inc()
        return write_grant(token)

    def _token(self, asked: TimestampRequest) -> bytes:
        if asked.policy_oid not in {None, self._policy_oid}:
            raise RequestError(Failure.UNACCEPTED_POLICY, "this policy is not stamped under")
        found = self._writers.get(asked.suite.name)
        if found is None:
            raise RequestError(Failure.BAD_ALG, "this digest is not stamped")
        writer, certificate = found
        now = self._clock.next()
        if now is None:
            raise RequestError(Failure.TIME_NOT_AVAILABLE, "the clock went back")
        if not certificate.valid_at(now):
            raise RequestError(Failure.TIME_NOT_AVAILABLE, "the certificate is not valid now")
        return writer.token(
            asked.imprint,
            new_serial(),
            now,
            nonce=asked.nonce,
            with_certificate=asked.certificate_wanted,
        )

    def _writer(self, key: StampingKey) -> TokenWriter:
        return TokenWriter(key.suite, key.key, key.certificate, self._policy_oid, self._accuracy_seconds)


def new_serial() -> int:
    """Return 127 random bits, never zero in the top byte: two are equal once in 2^63, over all restarts."""
    return secrets.randbits(126) | 1 << 126
