"""Reading seals and signatures of the three generations, told apart by their number of elements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from chassis.clock import CHINA_TIME
from services.seal.domain import der
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.structures.model import (
    Extension,
    NotASeal,
    Picture,
    Seal,
    SealedValue,
    StructureError,
    VersionMismatch,
)  # fmt: skip

_T = TypeVar("_T")
_KEPT_BYTES = 128 << 10


def read_seal(data: bytes) -> Seal:
    """Return the seal that `data` is.

    Raises:
        StructureError: It is no seal, or (VersionMismatch) its shape and header disagree.
    """
    return _strictly(lambda: _seal(der.read(data, der.SEQUENCE)))


def read_sealed_value(data: bytes) -> SealedValue:
    """Return the SES_Signature that `data` is.

    Raises:
        StructureError: It is no such structure; NotASeal and VersionMismatch say more.
    """
    return _strictly(lambda: _sealed_value(der.read(data, der.SEQUENCE)))


def _strictly(parse: Callable[[], _T]) -> _T:
    try:
        return parse()
    except DerError as error:
        raise StructureError(str(error)) from None


def _sealed_value(tlv: Tlv) -> SealedValue:
    parts = der.children(tlv)
    if len(parts) in {2, 3} and parts[0].tag == der.OID:
        raise NotASeal("a GB/T 35275 message")
    if len(parts) == 2 and parts[0].tag == der.INTEGER:
        raise NotASeal("a bare signature")
    if len(parts) == 2:
        return _first_generation(tlv, parts)
    if len(parts) in {4, 5}:
        return _later_generation(tlv, parts)
    raise StructureError("no known number of elements")


def _first_generation(tlv: Tlv, parts: list[Tlv]) -> SealedValue:
    tbs = der.expect(parts[0], der.SEQUENCE)
    version, eseal, time, data_hash, info, certificate, algorithm = _exactly(der.children(tbs), 7)
    seal = _seal(der.expect(eseal, der.SEQUENCE))
    _agree(1, seal.generation, der.integer(version))
    signed_at, timestamp = _first_generation_time(time)
    return SealedValue(
        generation=1, raw=tlv.raw, tbs_raw=tbs.raw, seal=seal, signed_at=signed_at,
        data_hash=der.bits(data_hash), property_info=der.text(info, der.IA5_STRING, der.UTF8_STRING),
        certificate=der.octets(certificate), algorithm=der.oid(algorithm), signature=der.bits(parts[1]),
        timestamp=timestamp,
    )  # fmt: skip


def _later_generation(tlv: Tlv, parts: list[Tlv]) -> SealedValue:
    tbs = der.expect(parts[0], der.SEQUENCE)
    fields = der.children(tbs)
    if len(fields) not in {5, 6}:
        raise StructureError("TBS_Sign has no known number of elements")
    seal = _known_seal(der.expect(fields[1], der.SEQUENCE))
    _agree(der.integer(fields[0]), seal.generation)
    if len(fields) == 6:
        _extensions(_exactly(der.children(der.expect(fields[5], 0xA0)), 1)[0])
    return SealedValue(
        generation=seal.generation, raw=tlv.raw, tbs_raw=tbs.raw, seal=seal,
        signed_at=der.time(der.expect(fields[2], der.GENERALIZED_TIME)),
        data_hash=der.bits(fields[3]),
        property_info=der.text(fields[4], der.IA5_STRING, der.UTF8_STRING),
        certificate=der.octets(parts[1]), algorithm=der.oid(parts[2]), signature=der.bits(parts[3]),
        timestamp=_tagged_bits(parts[4]) if len(parts) == 5 else None,
    )  # fmt: skip


def _first_generation_time(tlv: Tlv) -> tuple[datetime | None, bytes | None]:
    """Return the stated time and the timestamp token: a v1 timeInfo holds either (interop pitfall 10)."""
    if tlv.tag in {der.UTC_TIME, der.GENERALIZED_TIME}:
        return der.time(tlv), None
    value = der.octets(tlv) if tlv.tag == der.OCTET_STRING else der.bits(tlv)
    try:
        inner = der.read(value)
    except DerError:
        return _plain_time(value), None
    if inner.tag in {der.UTC_TIME, der.GENERALIZED_TIME}:
        return der.time(inner), None
    return None, value


def _plain_time(value: bytes) -> datetime | None:
    """Return the moment of ``yyyy-MM-dd HH:mm:ss``, which its writer means as China's time."""
    try:
        stated = datetime.strptime(value.decode("ascii"), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - zone follows
    except (UnicodeDecodeError, ValueError):
        return None
    return stated.replace(tzinfo=CHINA_TIME)


def _known_seal(tlv: Tlv) -> Seal:
    """Return the seal of a signature: one seal comes with every document of its owner, so small ones are kept."""
    if len(tlv.raw) > _KEPT_BYTES:
        return _seal(tlv)
    return _kept_seal(tlv.raw)


@lru_cache(maxsize=128)
def _kept_seal(raw: bytes) -> Seal:
    return _seal(der.read(raw, der.SEQUENCE))


def _seal(tlv: Tlv) -> Seal:
    parts = der.children(tlv)
    if len(parts) not in {2, 4, 5}:
        raise StructureError("no known number of elements")
    info = der.expect(parts[0], der.SEQUENCE)
    fields = der.children(info)
    if len(fields) not in {4, 5}:
        raise StructureError("SES_SealInfo has no known number of elements")
    version, vendor_id = _header(fields[0])
    allowed = {2: {1}, 4: {4, 5}, 5: {5}}[len(parts)]
    if version not in allowed:
        raise VersionMismatch(f"header version {version} in a seal of {len(parts)} elements")
    certificate, algorithm, signature, signed_input = _maker(parts, info)
    kind, name, certificates, digests, dates = _property(fields[2], version)
    return Seal(
        generation=version, raw=tlv.raw, vendor_id=vendor_id, seal_id=der.text(fields[1], der.IA5_STRING),
        kind=kind, name=name, certificates=certificates, certificate_digests=digests,
        created_at=dates[0], valid_from=dates[1], valid_until=dates[2], picture=_picture(fields[3]),
        extensions=_extensions(fields[4]) if len(fields) == 5 else (),
        maker_certificate=certificate, algorithm=algorithm, signature=signature, signed_input=signed_input,
        timestamp=_tagged_bits(parts[4]) if len(parts) == 5 else None,
    )  # fmt: skip


def _header(tlv: Tlv) -> tuple[int, str]:
    mark, version, vendor = _exactly(der.children(der.expect(tlv, der.SEQUENCE)), 3)
    if der.text(mark, der.IA5_STRING) != "ES":
        raise StructureError("the header does not say ES")
    number = der.integer(der.expect(version, der.INTEGER))
    if number not in {1, 4, 5}:
        raise VersionMismatch(f"header version {number}")
    return number, der.text(vendor, der.IA5_STRING)


def _maker(parts: list[Tlv], info: Tlv) -> tuple[bytes, str, bytes, bytes]:
    """Return the maker's certificate, algorithm and signature, and the bytes that signature covers."""
    if len(parts) > 2:
        certificate, algorithm, signature = parts[1:4]
        signed_input = info.raw
    else:
        certificate, algorithm, signature = _exactly(der.children(der.expect(parts[1], der.SEQUENCE)), 3)
        signed_input = der.sequence(info.raw, certificate.raw, algorithm.raw)
    return der.octets(certificate), der.oid(algorithm), der.bits(signature), signed_input


def _property(
    tlv: Tlv, version: int
) -> tuple[int, str, tuple[bytes, ...], tuple[tuple[str, bytes], ...], list[datetime]]:
    fields = der.children(der.expect(tlv, der.SEQUENCE))
    list_type = 1
    if version > 1:
        fields = _exactly(fields, 7)
        list_type = der.integer(fields.pop(2))
    kind, name, listed, *dates = _exactly(fields, 6)
    time_tag = der.UTC_TIME if version == 1 else der.GENERALIZED_TIME
    moments = [der.time(der.expect(date, time_tag)) for date in dates]
    certificates, digests = _certificate_list(listed, list_type)
    return (
        der.integer(der.expect(kind, der.INTEGER)), der.text(name, der.UTF8_STRING), certificates, digests, moments,
    )  # fmt: skip


def _certificate_list(tlv: Tlv, kind: int) -> tuple[tuple[bytes, ...], tuple[tuple[str, bytes], ...]]:
    listed = der.children(der.expect(tlv, der.SEQUENCE))
    if kind == 1:
        return tuple(der.octets(entry) for entry in listed), ()
    if kind != 2:
        raise StructureError("certListType is neither 1 nor 2")
    pairs = [_exactly(der.children(der.expect(entry, der.SEQUENCE)), 2) for entry in listed]
    return (), tuple(
        (der.text(name, der.PRINTABLE_STRING, der.IA5_STRING, der.UTF8_STRING), der.octets(value))
        for name, value in pairs
    )


def _picture(tlv: Tlv) -> Picture:
    kind, data, width, height = _exactly(der.children(der.expect(tlv, der.SEQUENCE)), 4)
    return Picture(
        der.text(kind, der.IA5_STRING), der.octets(data),
        der.integer(der.expect(width, der.INTEGER)), der.integer(der.expect(height, der.INTEGER)),
    )  # fmt: skip


def _extensions(tlv: Tlv) -> tuple[Extension, ...]:
    found = []
    for entry in der.children(der.expect(tlv, der.SEQUENCE)):
        parts = der.children(der.expect(entry, der.SEQUENCE))
        if len(parts) not in {2, 3}:
            raise StructureError("ExtData has no known number of elements")
        critical = der.boolean(parts[1]) if len(parts) == 3 else False
        found.append(Extension(der.oid(parts[0]), critical, der.octets(parts[-1])))
    return tuple(found)


def _tagged_bits(tlv: Tlv) -> bytes:
    return der.bits(_exactly(der.children(der.expect(tlv, 0xA0)), 1)[0])


def _exactly(parts: list[Tlv], count: int) -> list[Tlv]:
    if len(parts) != count:
        raise StructureError(f"{len(parts)} elements where {count} are due")
    return parts


def _agree(*versions: int) -> None:
    if len(set(versions)) != 1:
        raise VersionMismatch(f"versions {versions} in one signature")
