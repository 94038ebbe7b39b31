"""Writing v4 seals and signatures (GB/T 38540-2020) in one pass of plain DER."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.seal.domain import der
from services.seal.domain.structures.model import Extension, Picture

GENERATION = 4


@dataclass(frozen=True, slots=True)
class SealFields:
    """What a new seal says; `certificates` are the users' DER certificates (certListType 1)."""

    vendor_id: str
    seal_id: str
    kind: int
    name: str
    certificates: tuple[bytes, ...]
    created_at: datetime
    valid_from: datetime
    valid_until: datetime
    picture: Picture
    extensions: tuple[Extension, ...] = field(default=())


def write_seal_info(fields: SealFields) -> bytes:
    """Return the eSealInfo element: the bytes that the maker signs."""
    header = der.sequence(
        der.write_text(der.IA5_STRING, "ES"),
        der.write_integer(GENERATION),
        der.write_text(der.IA5_STRING, fields.vendor_id),
    )
    properties = der.sequence(
        der.write_integer(fields.kind),
        der.write_text(der.UTF8_STRING, fields.name),
        der.write_integer(1),
        der.sequence(*(der.write_octets(certificate) for certificate in fields.certificates)),
        der.write_time(fields.created_at),
        der.write_time(fields.valid_from),
        der.write_time(fields.valid_until),
    )
    picture = der.sequence(
        der.write_text(der.IA5_STRING, fields.picture.kind),
        der.write_octets(fields.picture.data),
        der.write_integer(fields.picture.width_mm),
        der.write_integer(fields.picture.height_mm),
    )
    parts = [header, der.write_text(der.IA5_STRING, fields.seal_id), properties, picture]
    if fields.extensions:
        parts.append(der.sequence(*map(_extension, fields.extensions)))
    return der.sequence(*parts)


def write_seal(info: bytes, maker_certificate: bytes, algorithm: str, signature: bytes) -> bytes:
    """Return the SESeal of a signed eSealInfo."""
    return der.sequence(
        info, der.write_octets(maker_certificate), der.write_oid(algorithm), der.write_bits(signature)
    )


def signature_tbs(seal: bytes, signed_at: datetime, data_hash: bytes, property_info: str) -> bytes:
    """Return the TBS_Sign element: the bytes that the signer signs."""
    return der.sequence(
        der.write_integer(GENERATION),
        seal,
        der.write_time(signed_at),
        der.write_bits(data_hash),
        der.write_text(der.IA5_STRING, property_info),
    )


def signature_value(
    tbs: bytes, certificate: bytes, algorithm: str, signature: bytes, timestamp: bytes | None = None
) -> bytes:
    """Return the SES_Signature, the content of SignedValue.dat."""
    parts = [tbs, der.write_octets(certificate), der.write_oid(algorithm), der.write_bits(signature)]
    if timestamp is not None:
        parts.append(der.explicit(0, der.write_bits(timestamp)))
    return der.sequence(*parts)


def _extension(extension: Extension) -> bytes:
    parts = [der.write_oid(extension.oid)]
    if extension.critical:
        parts.append(der.write_boolean(True))
    return der.sequence(*parts, der.write_octets(extension.value))
