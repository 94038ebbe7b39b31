"""The parsed forms; every `*_raw` and every signed input is a slice of the received bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class StructureError(ValueError):
    """The bytes do not parse as a seal or signature; never leaves the domain."""


class NotASeal(StructureError):  # noqa: N818 - what was found, not what went wrong
    """A sound signature of another kind: a GB/T 35275 message or a bare SM2 signature."""


class VersionMismatch(StructureError):  # noqa: N818 - says which rule was broken
    """Shape, seal header and signature header do not state one generation."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The imprint that a reader paints: its format, bytes and size in whole millimetres."""

    kind: str
    data: bytes
    width_mm: int
    height_mm: int


@dataclass(frozen=True, slots=True)
class Extension:
    """One private extension: shown, never interpreted."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """An electronic seal (电子印章) of any generation.

    `signed_input` is what the maker signed: eSealInfo alone in v4 and v5, the sequence of info, certificate and
    algorithm in v1. Exactly one of `certificates` and `certificate_digests` holds the users' certificates.
    """

    generation: int
    raw: bytes
    vendor_id: str
    seal_id: str
    kind: int
    name: str
    certificates: tuple[bytes, ...]
    certificate_digests: tuple[tuple[str, bytes], ...]
    created_at: datetime
    valid_from: datetime
    valid_until: datetime
    picture: Picture
    extensions: tuple[Extension, ...]
    maker_certificate: bytes
    algorithm: str
    signature: bytes
    signed_input: bytes
    timestamp: bytes | None


@dataclass(frozen=True, slots=True)
class SealedValue:
    """The content of a SignedValue.dat (SES_Signature): the seal, the moment, the document digest, the signature.

    `signed_at` is what the signer states; None where a v1 time cannot be read.
    """

    generation: int
    raw: bytes
    tbs_raw: bytes
    seal: Seal
    signed_at: datetime | None
    data_hash: bytes
    property_info: str
    certificate: bytes
    algorithm: str
    signature: bytes
    timestamp: bytes | None
