"""Strict reading and plain writing of DER (GB/T 16263.1, X.690).

Signed parts are always cut out of the received bytes: re-encoding would change what was signed. The reader takes
definite, minimal lengths and one-byte tags only, and never skips a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x02, 0x03, 0x04, 0x05, 0x06
BOOLEAN, ENUMERATED, UTF8_STRING, PRINTABLE_STRING, IA5_STRING = 0x01, 0x0A, 0x0C, 0x13, 0x16
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31
MAX_DEPTH = 32
_MOST_CHILDREN, _LONGEST_NUMBER, _LONGEST_OID = 10_000, 128, 128  # bytes of an INTEGER and of an identifier


class DerError(ValueError):
    """The bytes are not the one strict encoding that was expected; never leaves the domain."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One element: `raw` with tag and length, `body` without."""

    tag: int
    raw: bytes
    header_bytes: int

    @property
    def body(self) -> bytes:
        """The content octets."""
        return self.raw[self.header_bytes :]


def read(data: bytes, tag: int | None = None) -> Tlv:
    """Return the one element that `data` consists of.

    Raises:
        DerError: Another tag, a lax length, or bytes left over.
    """
    tlv, end = _element(data, 0, len(data))
    if end != len(data):
        raise DerError("trailing bytes")
    return expect(tlv, tag) if tag is not None else tlv


def children(tlv: Tlv, most: int = _MOST_CHILDREN) -> list[Tlv]:
    """Return the elements inside a constructed element, in order; more than `most` are refused."""
    if not tlv.tag & 0x20:
        raise DerError("not constructed")
    found: list[Tlv] = []
    offset, limit = tlv.header_bytes, len(tlv.raw)
    while offset < limit:
        child, offset = _element(tlv.raw, offset, limit)
        found.append(child)
        if len(found) > most:
            raise DerError("too many elements")
    return found


def check(data: bytes) -> None:
    """Prove that `data` is one element whose constructed parts split strictly at every level."""
    _check(read(data), 0)


def _check(tlv: Tlv, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DerError("nested too deeply")
    if tlv.tag & 0x20:
        for child in children(tlv):
            _check(child, depth + 1)


def _element(data: bytes, offset: int, limit: int) -> tuple[Tlv, int]:
    if limit - offset < 2:
        raise DerError("truncated")
    tag, first = data[offset], data[offset + 1]
    if tag & 0x1F == 0x1F:
        raise DerError("multi-byte tag")
    body, length = offset + 2, first
    if first & 0x80:
        count = first & 0x7F
        if not 1 <= count <= 4 or body + count > limit:
            raise DerError("indefinite or oversized length")
        length = int.from_bytes(data[body : body + count], "big")
        if length < 0x80 or length >> (8 * (count - 1)) == 0:
            raise DerError("length not minimal")
        body += count
    end = body + length
    if end > limit:
        raise DerError("truncated")
    return Tlv(tag, bytes(data[offset:end]), body - offset), end


def expect(tlv: Tlv, *tags: int) -> Tlv:
    """Return the element if its tag is one of `tags`."""
    if tlv.tag not in tags:
        raise DerError(f"tag {tlv.tag:02x} where {tags[0]:02x} is due")
    return tlv


def integer(tlv: Tlv) -> int:
    """Return a non-negative INTEGER in its minimal form."""
    body = expect(tlv, INTEGER, ENUMERATED).body
    if not body or body[0] & 0x80:
        raise DerError("empty or negative integer")
    if len(body) > _LONGEST_NUMBER:
        raise DerError("integer too long")
    if len(body) > 1 and body[0] == 0 and not body[1] & 0x80:
        raise DerError("integer not minimal")
    return int.from_bytes(body, "big")


def boolean(tlv: Tlv) -> bool:
    """Return a BOOLEAN; FALSE written out is accepted, as a vendor's seals have it."""
    body = expect(tlv, BOOLEAN).body
    if body not in {b"\x00", b"\xff"}:
        raise DerError("boolean is neither 00 nor ff")
    return body == b"\xff"


def octets(tlv: Tlv) -> bytes:
    """Return the content of an OCTET STRING."""
    return expect(tlv, OCTET_STRING).body


def bits(tlv: Tlv) -> bytes:
    """Return the content of a BIT STRING with no unused bits."""
    body = expect(tlv, BIT_STRING).body
    if not body or body[0]:
        raise DerError("bit string with unused bits")
    return body[1:]


def text(tlv: Tlv, *tags: int) -> str:
    """Return the text of a string element; IA5 and Printable strings must be ASCII."""
    body = expect(tlv, *tags).body
    try:
        return body.decode("utf-8" if tlv.tag == UTF8_STRING else "ascii")
    except UnicodeDecodeError as error:
        raise DerError("string not in its character set") from error


def oid(tlv: Tlv) -> str:
    """Return an OBJECT IDENTIFIER in dotted form."""
    body = expect(tlv, OID).body
    if not body or body[-1] & 0x80 or len(body) > _LONGEST_OID:
        raise DerError("object identifier cut short or too long")
    arcs: list[int] = []
    value, fresh = 0, True
    for byte in body:
        if fresh and byte == 0x80:
            raise DerError("object identifier not minimal")
        value, fresh = value << 7 | byte & 0x7F, not byte & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def time(tlv: Tlv) -> datetime:
    """Return a UTCTime or GeneralizedTime of the form with seconds and Z, aware, in UTC."""
    body = expect(tlv, GENERALIZED_TIME, UTC_TIME).body
    digits = 12 if tlv.tag == UTC_TIME else 14
    if len(body) != digits + 1 or body[-1:] != b"Z" or not body[:-1].isdigit():
        raise DerError("time not in the form YYYYMMDDHHMMSSZ")
    stamp = body[:-1].decode("ascii")
    if tlv.tag == UTC_TIME:
        stamp = ("19" if stamp[:2] >= "50" else "20") + stamp
    try:
        day = int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8])
        return datetime(*day, int(stamp[8:10]), int(stamp[10:12]), int(stamp[12:]), tzinfo=UTC)
    except ValueError as error:
        raise DerError("no such moment") from error


def write(tag: int, body: bytes) -> bytes:
    """Return one element."""
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE of already encoded parts."""
    return write(SEQUENCE, b"".join(parts))


def set_of(parts: Sequence[bytes]) -> bytes:
    """Return a SET OF with its parts in DER order."""
    return write(SET, b"".join(sorted(parts)))


def explicit(number: int, body: bytes) -> bytes:
    """Return `[number] EXPLICIT` around an encoded element."""
    return write(0xA0 | number, body)


def write_integer(value: int) -> bytes:
    """Return a non-negative INTEGER."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def write_boolean(value: bool) -> bytes:
    """Return a BOOLEAN."""
    return write(BOOLEAN, b"\xff" if value else b"\x00")


def write_octets(value: bytes) -> bytes:
    """Return an OCTET STRING."""
    return write(OCTET_STRING, value)


def write_bits(value: bytes) -> bytes:
    """Return a BIT STRING with no unused bits."""
    return write(BIT_STRING, b"\x00" + value)


def write_text(tag: int, value: str) -> bytes:
    """Return a string element; `value` must fit the character set of `tag`."""
    return write(tag, value.encode("utf-8" if tag == UTF8_STRING else "ascii"))


def write_oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    arcs = [int(arc) for arc in dotted.split(".")]
    body = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return write(OID, bytes(body))


def write_time(moment: datetime) -> bytes:
    """Return a GeneralizedTime with whole seconds in UTC; `moment` must be aware."""
    return write(GENERALIZED_TIME, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def write_certificate_time(moment: datetime) -> bytes:
    """Return the time form X.509 asks for: UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5)."""
    utc = moment.astimezone(UTC)
    if utc.year >= 2050:
        return write_time(utc)
    return write(UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode("ascii"))
