"""Writing packages: the same members give the same bytes; nothing that is packed is packed again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from services.seal.domain.ofd.package import Member

_ROOT = "OFD.xml"
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _UTF8_FLAG = 20, 0x800
_TIME, _DATE = 0, 0x21  # 1980-01-01 00:00:00, so that packages are reproducible
_STORED, _DEFLATED = 0, 8
_DEFLATE_SUFFIXES = (".xml", ".ttf", ".svg", ".txt", ".json")


def new_member(name: str, data: bytes) -> Member:
    """Return a file ready to be written: text and fonts deflated, images, seals and signatures stored."""
    crc32 = zlib.crc32(data)
    if name.lower().endswith(_DEFLATE_SUFFIXES):
        engine = zlib.compressobj(6, zlib.DEFLATED, *_window(len(data)))
        packed = engine.compress(data) + engine.flush()
        if len(packed) < len(data):
            return Member(name, data, _DEFLATED, packed, crc32)
    return Member(name, data, _STORED, data, crc32)


def _window(size: int) -> tuple[int, int]:
    """Return window bits and memory level: for a small file, clearing a full window takes longer than packing."""
    return (-12, 5) if size <= 4096 else (-15, 8)


def write_package(members: Iterable[Member]) -> bytes:
    """Return the ZIP: OFD.xml first, the others in the order given, no directories, no data descriptors."""
    ordered = sorted(members, key=lambda member: member.name != _ROOT)
    body: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for member in ordered:
        name = member.name.encode("utf-8")
        sizes = (member.crc32, len(member.packed), len(member.data))
        head = (_VERSION, _UTF8_FLAG, member.method, _TIME, _DATE, *sizes, len(name), 0)
        local = _LOCAL.pack(b"PK\x03\x04", *head)
        directory += [_CENTRAL.pack(b"PK\x01\x02", _VERSION, *head, 0, 0, 0, 0, offset), name]
        body += [local, name, member.packed]
        offset += len(local) + len(name) + len(member.packed)
    listing = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(ordered), len(ordered), len(listing), offset, 0)
    return b"".join([*body, listing, end])
