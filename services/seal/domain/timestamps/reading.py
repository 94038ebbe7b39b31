"""Taking a TimeStampToken apart, or a whole TimeStampResp around one: strictly, over the received bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.seal.domain import der
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.timestamps.making import SIGNED_DATA, TST_INFO

_GM_SIGNED_DATA = "1.2.156.10197.6.1.4.2.2"
_TIME = re.compile(rb"([0-9]{14})(?:\.([0-9]{0,5}[1-9]))?Z")
_EXTENSIONS = 0xA1


@dataclass(frozen=True, slots=True)
class Token:
    """A token's parts; `attributes_set` is what was signed."""

    info_raw: bytes
    policy_oid: str
    digest_oid: str
    imprint: bytes
    serial: int
    generated_at: datetime
    nonce: bytes
    has_extensions: bool
    certificates: tuple[bytes, ...]
    attributes_set: bytes
    attributes: dict[str, Tlv]
    issuer_serial: bytes
    algorithm: str
    signer_digest_oid: str
    signature: bytes


def read_token(data: bytes) -> Token:
    """Return the token's parts. Raises DerError."""
    try:
        return _token(der.children(der.read(data, der.SEQUENCE)))
    except (IndexError, ValueError) as error:
        raise DerError(str(error)) from None


def time_of(data: bytes) -> datetime:
    """Return the time of a token that was judged already. Raises DerError."""
    return read_token(data).generated_at


def _token(parts: list[Tlv]) -> Token:
    if parts[0].tag == der.SEQUENCE:  # a TimeStampResp: status, then the token
        if der.integer(der.children(parts[0])[0]) > 1:
            raise DerError("the response grants nothing")
        parts = der.children(parts[1])
    if der.oid(parts[0]) not in {SIGNED_DATA, _GM_SIGNED_DATA}:
        raise DerError("not SignedData")
    _, _, content, *optional, signers = der.children(der.children(parts[1])[0])
    content_type, wrapped = der.children(content)
    if der.oid(content_type) != TST_INFO:
        raise DerError("not TSTInfo")
    info_raw = der.octets(der.children(wrapped)[0])
    info = der.children(der.read(info_raw, der.SEQUENCE))
    if der.integer(info[0]) != 1:
        raise DerError("TSTInfo is not of version 1")
    method, imprint = der.children(info[2])
    (signer,) = der.children(der.expect(signers, der.SET))
    _, sid, digest, attributes, algorithm, signature, *_ = der.children(signer)
    return Token(
        info_raw=info_raw, policy_oid=der.oid(info[1]), digest_oid=der.oid(der.children(method)[0]), imprint=der.octets(imprint),
        serial=der.integer(info[3]), generated_at=_moment(info[4]),
        nonce=next((part.raw for part in info[5:] if part.tag == der.INTEGER), b""),
        has_extensions=any(part.tag == _EXTENSIONS for part in info[5:]),
        certificates=tuple(
            cert.raw for part in optional if part.tag == 0xA0 for cert in der.children(part)
        ),
        attributes_set=b"\x31" + der.expect(attributes, 0xA0).raw[1:],
        attributes=_attribute_values(attributes), issuer_serial=sid.raw,
        algorithm=der.oid(der.children(algorithm)[0]), signer_digest_oid=der.oid(der.children(digest)[0]),
        signature=der.octets(signature),
    )  # fmt: skip


def _moment(element: Tlv) -> datetime:
    """Return genTime; a fraction of a second, as RFC 3161 2.4.2 allows it, is kept to the microsecond."""
    found = _TIME.fullmatch(der.expect(element, der.GENERALIZED_TIME).body)
    if found is None:
        raise DerError("genTime")
    digits, fraction = found[1].decode("ascii"), (found[2] or b"").decode("ascii")
    moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int(fraction.ljust(6, "0")) if fraction else 0)


def _attribute_values(attributes: Tlv) -> dict[str, Tlv]:
    found: dict[str, Tlv] = {}
    for attribute in der.children(attributes):
        name, values = der.children(attribute)
        (value,) = der.children(der.expect(values, der.SET))
        if der.oid(name) in found:
            raise DerError("an attribute stands twice")
        found[der.oid(name)] = value
    return found


def first_certificate_digest(value: Tlv) -> tuple[str | None, bytes]:
    """Return algorithm (None where left out: SHA-256) and digest of the first ESSCertIDv2 (RFC 5816)."""
    first: Sequence[Tlv] = der.children(der.children(der.children(value)[0])[0])
    if first[0].tag == der.OCTET_STRING:
        return None, first[0].body
    return der.oid(der.children(first[0])[0]), der.octets(first[1])
