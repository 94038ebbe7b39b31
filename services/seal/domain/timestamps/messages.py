"""The messages between a requester and a time-stamping authority (RFC 3161 2.4), read strictly.

A request is one DER element in its one encoding: nothing after it, no defaults written out, no negative version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from services.seal.domain import der
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.suite import Suite, Suites
from services.seal.domain.timestamps.making import message_imprint

MAX_REQUEST_BYTES = 4_096
GRANTED, GRANTED_WITH_MODS, REJECTION = 0, 1, 2
_MOST_NONCE_BYTES = 64
_EXTENSIONS = 0xA0


class Failure(IntEnum):
    """Why a request is refused: the bit numbers of PKIFailureInfo (RFC 3161 2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


class RequestError(ValueError):
    """A request that gets no token; never leaves the component."""

    def __init__(self, failure: Failure, why: str) -> None:
        super().__init__(why)
        self.failure = failure


class ResponseError(ValueError):
    """An answer that is no TimeStampResp; never leaves the client."""


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """What is to be stamped. `imprint` and `nonce` are the DER elements as they came: the token repeats them."""

    suite: Suite
    imprint: bytes
    policy_oid: str | None
    nonce: bytes
    """Empty where none was asked."""
    certificate_wanted: bool


@dataclass(frozen=True, slots=True)
class TimestampResponse:
    """An answer: `token` is empty for a refusal, `failures` are its PKIFailureInfo bits."""

    status: int
    token: bytes
    failures: tuple[int, ...]


def read_request(data: bytes, suites: Suites) -> TimestampRequest:
    """Return the request. Raises RequestError with what RFC 3161 2.4.2 has for it."""
    if len(data) > MAX_REQUEST_BYTES:
        raise RequestError(Failure.BAD_DATA_FORMAT, "too long")
    try:
        der.check(data)
        fields = der.children(der.read(data, der.SEQUENCE))
    except DerError as error:
        raise RequestError(Failure.BAD_DATA_FORMAT, str(error)) from None
    try:
        return _request(fields, suites)
    except DerError as error:
        raise RequestError(Failure.BAD_REQUEST, str(error)) from None


def write_request(suite: Suite, digest: bytes, nonce: int, *, policy_oid: str | None = None) -> bytes:
    """Return a request for a token over a digest, with the authority's certificate in it."""
    return der.sequence(
        der.write_integer(1),
        message_imprint(suite.digest_oid, digest),
        der.write_oid(policy_oid) if policy_oid else b"",
        der.write_integer(nonce),
        der.write_boolean(True),
    )


def write_grant(token: bytes) -> bytes:
    """Return the answer that carries a token."""
    return der.sequence(der.sequence(der.write_integer(GRANTED)), token)


def write_refusal(failure: Failure, why: str) -> bytes:
    """Return the answer that refuses, with one reason and a text for people."""
    text = der.sequence(der.write_text(der.UTF8_STRING, why))
    whole, rest = divmod(failure, 8)
    bits = bytes(whole) + bytes((0x80 >> rest,))
    info = der.write(der.BIT_STRING, bytes((7 - rest,)) + bits)
    return der.sequence(der.sequence(der.write_integer(REJECTION), text, info))


def read_response(data: bytes) -> TimestampResponse:
    """Return the answer. Raises ResponseError."""
    try:
        parts = der.children(der.read(data, der.SEQUENCE))
        said = der.children(der.expect(parts[0], der.SEQUENCE))
        status = der.integer(der.expect(said[0], der.INTEGER))
        failures = tuple(bit for part in said[1:] if part.tag == der.BIT_STRING for bit in _bits(part))
        token = parts[1].raw if len(parts) == 2 else b""
    except (DerError, IndexError) as error:
        raise ResponseError(str(error)) from None
    if len(parts) > 2 or (status in {GRANTED, GRANTED_WITH_MODS}) != bool(token):
        raise ResponseError("status and token contradict each other")
    return TimestampResponse(status, token, failures)


def _request(fields: Sequence[Tlv], suites: Suites) -> TimestampRequest:
    if len(fields) < 2 or fields[0].tag != der.INTEGER or der.integer(fields[0]) != 1:
        raise RequestError(Failure.BAD_REQUEST, "version is not 1")
    suite = _suite(fields[1], suites)
    rest = list(fields[2:])
    policy = der.oid(rest.pop(0)) if rest and rest[0].tag == der.OID else None
    nonce = _nonce(rest.pop(0)) if rest and rest[0].tag == der.INTEGER else b""
    wanted = bool(rest) and rest[0].tag == der.BOOLEAN
    if wanted and not der.boolean(rest.pop(0)):
        raise RequestError(Failure.BAD_DATA_FORMAT, "a default value is written out")
    if rest and rest[0].tag == _EXTENSIONS:
        raise RequestError(Failure.UNACCEPTED_EXTENSION, "extensions are not supported")
    if rest:
        raise RequestError(Failure.BAD_REQUEST, "an element out of place")
    return TimestampRequest(suite, fields[1].raw, policy, nonce, wanted)


def _suite(imprint: Tlv, suites: Suites) -> Suite:
    parts = der.children(der.expect(imprint, der.SEQUENCE))
    if len(parts) != 2:
        raise DerError("messageImprint")
    algorithm, hashed = der.children(der.expect(parts[0], der.SEQUENCE)), parts[1]
    if not algorithm or len(algorithm) > 2:
        raise DerError("hashAlgorithm")
    suite = suites.by_digest(der.oid(algorithm[0]))
    if suite is None:
        raise RequestError(Failure.BAD_ALG, "this digest is not supported")
    if len(algorithm) == 2 and algorithm[1].raw != b"\x05\x00":  # absent, or NULL as older clients write it
        raise RequestError(Failure.BAD_ALG, "digests have no parameters")
    if len(der.octets(hashed)) != len(suite.digest(b"")):
        raise RequestError(Failure.BAD_DATA_FORMAT, "the digest has another length")
    return suite


def _nonce(element: Tlv) -> bytes:
    body = element.body
    padded = len(body) > 1 and (body[0], body[1] >> 7) in {(0, 0), (0xFF, 1)}
    if not body or padded or len(body) > _MOST_NONCE_BYTES:
        raise RequestError(Failure.BAD_DATA_FORMAT, "nonce")
    return element.raw


def _bits(element: Tlv) -> Sequence[int]:
    return [
        8 * at + bit for at, byte in enumerate(element.body[1:]) for bit in range(8) if byte & (0x80 >> bit)
    ]
