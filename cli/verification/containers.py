"""The ZIP frame of an archive package, byte by byte: what no digest covers must be as it was written.

Times, attributes and versions in ZIP headers belong to no entry's content. A package has them fixed,
so that any other value shows that somebody touched the file.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _TIME, _DATE = 20, 0, 0x21  # 1980-01-01 00:00:00
_BY_UNIX, _ATTRIBUTES = 3 << 8, 0o600 << 16
_UTF8_FLAG = 0x800


def written_again(content: bytes, infos: Sequence[zipfile.ZipInfo]) -> bytes:
    """Return the package with the same packed entries and headers as intake writes them.

    Raises ValueError where a packed entry has no proper end.
    """
    body: list[bytes] = []
    directory: list[bytes] = []
    position = 0
    for info in infos:
        flags = 0 if info.filename.isascii() else _UTF8_FLAG
        name = info.filename.encode("utf-8")
        start = info.header_offset + _LOCAL.size + len(name)
        packed = content[start : start + info.compress_size]
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        engine.decompress(packed, max(info.file_size, 1))
        engine.decompress(engine.unconsumed_tail)
        if not engine.eof or engine.unused_data:
            raise ValueError("an entry's stream does not end where it should")
        sizes = (info.CRC, info.compress_size, info.file_size, len(name), 0)
        head = (_VERSION, flags, info.compress_type, _TIME, _DATE, *sizes)
        central = _CENTRAL.pack(b"PK\x01\x02", _BY_UNIX | _VERSION, *head, 0, 0, 0, _ATTRIBUTES, position)
        directory += [central, name]
        body += [_LOCAL.pack(b"PK\x03\x04", *head), name, packed]
        position += _LOCAL.size + len(name) + len(packed)
    listing = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(infos), len(infos), len(listing), position, 0)
    return b"".join([*body, listing, end])
