"""A strict pre-scan of the ZIP container: what is read here is all there is in the file.

`zipfile` lists duplicate names and reads the last, accepts bytes before and after the archive, and shows the last of
two joined archives. Here members tile the file from byte 0 to one directory, which ends the file.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cached_property

from services.seal.domain.suite import Suite

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_DESCRIPTOR = struct.Struct("<3L")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x2041  # bits 0, 6 and 13: encryption, strong encryption, masked headers
_DESCRIPTOR_FLAG, _UTF8_FLAG = 0x08, 0x800
_REFUSED_EXTRAS = frozenset({0x0001, 0x7075})  # ZIP64 sizes, a second name
_SYMLINK, _TYPE_MASK = 0o120000, 0o170000
_UNPLAIN = frozenset('\\:*?"<>|')


class PackageError(ValueError):
    """The container breaks a rule of strict reading; never leaves the domain."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds held while reading, never taken from headers; sizes in bytes."""

    package_bytes: int = 64 << 20
    members: int = 10_000
    member_bytes: int = 64 << 20
    total_bytes: int = 256 << 20
    ratio: int = 200
    ratio_from_bytes: int = 1 << 20
    xml_bytes: int = 16 << 20
    signatures: int = 100
    references: int = 20_000
    all_references: int = 60_000
    signed_value_bytes: int = 16 << 20


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its path without a leading slash, its content, and its stored form to be copied as it is."""

    name: str
    data: bytes
    method: int
    packed: bytes
    crc32: int


@dataclass(frozen=True)
class Package:
    """The files of a package in the order they are stored; directory entries are left out."""

    members: tuple[Member, ...]

    @cached_property
    def _by_name(self) -> dict[str, bytes]:
        return {member.name: member.data for member in self.members}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> bytes:
        return self._by_name[name]

    def get(self, name: str) -> bytes | None:
        """Return the content of a file, or None."""
        return self._by_name.get(name)

    @cached_property
    def _digests(self) -> dict[tuple[str, str], bytes]:
        return {}

    def digest(self, name: str, suite: Suite) -> bytes:
        """Return the suite's digest of a file, computed once however many signatures name it."""
        key = (suite.digest_oid, name)
        if key not in self._digests:
            self._digests[key] = suite.digest(self._by_name[name])
        return self._digests[key]

    @property
    def names(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(self._by_name)


@dataclass(frozen=True, slots=True)
class _Entry:
    raw_name: bytes
    name: str
    flags: int
    method: int
    crc32: int
    packed_bytes: int
    data_bytes: int
    offset: int


def read_package(data: bytes, limits: Limits = LIMITS) -> Package:
    """Return every file of the package.

    Raises:
        PackageError: A name, a size, the tiling or the compression breaks a rule.
    """
    if len(data) > limits.package_bytes:
        raise PackageError("the package is too large")
    entries, directory = _directory(data, limits)
    _refuse_names([entry.name for entry in entries])
    position = total = 0
    members: list[Member] = []
    ordered = sorted(entries, key=lambda entry: entry.offset)
    starts = [*(entry.offset for entry in ordered[1:]), directory]
    for index, (entry, following) in enumerate(zip(ordered, starts, strict=True)):
        if entry.offset != position:
            raise PackageError(f"bytes before or inside member {index} belong to no member")
        packed = _packed(data, entry, following)
        position = following
        content = _unpacked(packed, entry, min(limits.member_bytes, limits.total_bytes - total), limits)
        total += len(content)
        if not entry.name.endswith("/"):
            members.append(Member(entry.name, content, entry.method, packed, entry.crc32))
        elif content:
            raise PackageError("a directory entry with content")
    if position != directory:
        raise PackageError("bytes between the last member and the directory")
    return Package(tuple(members))


def _directory(data: bytes, limits: Limits) -> tuple[list[_Entry], int]:
    """Return the entries of the one directory and where it starts; it must end the file, without a comment."""
    if len(data) < _END.size:
        raise PackageError("not a ZIP archive")
    mark, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, len(data) - _END.size)
    if mark != b"PK\x05\x06" or comment or disk or first_disk or here != count:
        raise PackageError("no plain end of directory at the end of the file")
    if not count or count > limits.members:
        raise PackageError("too few or too many members")
    if offset + size != len(data) - _END.size:
        raise PackageError("the directory does not end where the file ends")
    entries: list[_Entry] = []
    position = offset
    for _ in range(count):
        entry, position = _entry(data, position, len(data) - _END.size)
        entries.append(entry)
    if position != offset + size:
        raise PackageError("the directory has more than its entries")
    return entries, offset


def _entry(data: bytes, position: int, limit: int) -> tuple[_Entry, int]:
    if position + _CENTRAL.size > limit:
        raise PackageError("the directory is cut short")
    fields = _CENTRAL.unpack_from(data, position)
    mark, made_by, _, flags, method, _, _, crc32, packed, size, name_length, extra_length, comment_length = (
        fields[:13]
    )
    disk, _, attributes, offset = fields[13:]
    end = position + _CENTRAL.size + name_length + extra_length + comment_length
    if mark != b"PK\x01\x02" or end > limit or disk or comment_length:
        raise PackageError("a damaged directory entry")
    if flags & _ENCRYPTED or method not in {_STORED, _DEFLATED}:
        raise PackageError("encryption, or a method other than stored and deflated")
    if made_by >> 8 == 3 and (attributes >> 16) & _TYPE_MASK == _SYMLINK:
        raise PackageError("a symbolic link")
    start = position + _CENTRAL.size
    raw_name = data[start : start + name_length]
    _refuse_extras(data[start + name_length : start + name_length + extra_length])
    return _Entry(raw_name, _name(raw_name, flags), flags, method, crc32, packed, size, offset), end


def _name(raw: bytes, flags: int) -> str:
    """Return the path; without the UTF-8 flag only ASCII has one meaning everywhere."""
    try:
        return raw.decode("utf-8" if flags & _UTF8_FLAG else "ascii")
    except UnicodeDecodeError:
        raise PackageError("a name that is not UTF-8") from None


def _refuse_extras(extra: bytes) -> None:
    position = 0
    while position < len(extra):
        if position + 4 > len(extra):
            raise PackageError("a damaged extra field")
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind in _REFUSED_EXTRAS:
            raise PackageError("ZIP64 or a second name")
        position += 4 + length


def _refuse_names(names: list[str]) -> None:
    """Refuse paths that could mean two things, and two paths that could mean one."""
    folded: set[str] = set()
    for name in names:
        plain = name.removesuffix("/")
        if any(segment in {"", ".", ".."} for segment in plain.split("/")):
            raise PackageError("an empty, absolute or climbing path")
        if not _UNPLAIN.isdisjoint(name) or _has_control(name):
            raise PackageError("a path with a drive, a backslash or a control character")
        if not name.isascii() and unicodedata.normalize("NFC", name) != name:
            raise PackageError("a path that is not in normal form C")
        key = plain.casefold()
        if key in folded:
            raise PackageError("two members with equal paths")
        folded.add(key)
    files = {name.casefold() for name in names if not name.endswith("/")}
    if not files.isdisjoint(_parents(folded)):
        raise PackageError("a member inside a member")


def _has_control(name: str) -> bool:
    """Return whether a character is of Unicode's category C; in ASCII those are the ones that do not print."""
    if name.isascii():
        return not name.isprintable()
    return any(unicodedata.category(char)[0] == "C" for char in name)


def _parents(names: set[str]) -> set[str]:
    """Return every folder that one of the names lies in."""
    found: set[str] = set()
    for name in names:
        end = name.rfind("/")
        while end > 0 and name[:end] not in found:
            found.add(name[:end])
            end = name.rfind("/", 0, end)
    return found


def _packed(data: bytes, entry: _Entry, following: int) -> bytes:
    """Return the stored bytes after proving that the local header says what the directory says."""
    start = entry.offset
    if start + _LOCAL.size > following:
        raise PackageError("a member is cut short")
    mark, _, flags, method, _, _, crc32, packed, size, name_length, extra_length = _LOCAL.unpack_from(
        data, start
    )
    body = start + _LOCAL.size + name_length + extra_length
    name = data[start + _LOCAL.size : start + _LOCAL.size + name_length]
    if mark != b"PK\x03\x04" or flags != entry.flags or method != entry.method or name != entry.raw_name:
        raise PackageError("local header and directory differ")
    if body + entry.packed_bytes > following:
        raise PackageError("members overlap")
    _refuse_extras(data[start + _LOCAL.size + name_length : body])
    stated = (crc32, packed, size)
    truth = (entry.crc32, entry.packed_bytes, entry.data_bytes)
    rest = data[body + entry.packed_bytes : following]
    if flags & _DESCRIPTOR_FLAG:
        good = stated in {truth, (0, 0, 0)} and rest.removeprefix(b"PK\x07\x08") == _DESCRIPTOR.pack(*truth)
    else:
        good = stated == truth and not rest
    if not good:
        raise PackageError("sizes differ, or bytes after a member belong to no member")
    return data[body : body + entry.packed_bytes]


def _unpacked(packed: bytes, entry: _Entry, bound: int, limits: Limits) -> bytes:
    content = packed if entry.method == _STORED else _inflate(packed, bound)
    if len(content) > bound or len(content) != entry.data_bytes or zlib.crc32(content) != entry.crc32:
        raise PackageError("a member is too large, or not what its header says")
    if len(content) > limits.ratio_from_bytes and len(content) > limits.ratio * max(len(packed), 1):
        raise PackageError("a member is compressed beyond belief")
    return content


def _inflate(packed: bytes, bound: int) -> bytes:
    engine = zlib.decompressobj(-15)
    try:
        content = engine.decompress(packed, bound + 1)
    except zlib.error:
        raise PackageError("a member does not inflate") from None
    if not engine.eof or engine.unused_data:
        raise PackageError("a member is too large, cut short, or has bytes after its end")
    return content
