"""The file stores of a backup: one tar each, and the sorted list of digests by which both ends are compared."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from chassis.files import BEGINNING_BYTES
from cli.operations.faults import BACKUP_NOT_WRITTEN, BACKUP_TAMPERED, RESTORE_TARGET_NOT_EMPTY
from cli.operations.field_keys import key_id_in
from cli.operations.part_reader import PartReader
from cli.operations.parts import PartWriter, digest_of

_BEING_WRITTEN = ".fresh-"  # chassis.files: not yet a file of the store


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store held: number of files, their bytes, the SHA-256 of their list."""

    files: int
    size_bytes: int
    sha256: str
    field_keys: tuple[str, ...] = ()
    """The ids of the field keys that they are under."""


def paths_in(root: Path) -> Iterator[Path]:
    """Yield the files of a store, sorted by their path; directories are walked one at a time."""
    if not root.is_dir():
        return
    with os.scandir(root) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from paths_in(Path(entry.path))
        elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(_BEING_WRITTEN):
            yield Path(entry.path)


def pack(root: Path, archive: PartWriter, index: PartWriter) -> Kept:
    """Write all files of a store and their list. A file that vanishes meanwhile is in neither."""
    listed, ids, files, size = hashlib.sha256(), set[str](), 0, 0
    with tarfile.open(fileobj=cast("IO[bytes]", archive), mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in paths_in(root):
            try:
                entry, length, key_id = _pack_one(tar, path, path.relative_to(root).as_posix())
            except FileNotFoundError:
                continue
            except OSError as problem:
                raise BACKUP_NOT_WRITTEN(cause=problem) from problem
            listed.update(entry)
            index.write(entry)
            files, size = files + 1, size + length
            ids.add(key_id)
    return Kept(files, size, listed.hexdigest(), tuple(sorted(ids - {""})))


def _pack_one(tar: tarfile.TarFile, path: Path, name: str) -> tuple[bytes, int, str]:
    """Add a file as it is when opened: a key rotation may put another in its place meanwhile."""
    with path.open("rb") as file:
        key_id = key_id_in(file.read(BEGINNING_BYTES))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        member = _plain(tar.gettarinfo(arcname=name, fileobj=file))
        tar.addfile(member, file)
    return line(digest, member.size, name), member.size, key_id


def unpack(reader: PartReader, fresh: Path) -> None:
    """Write the files of a tar below an empty directory. Raises BACKUP_TAMPERED."""
    fresh.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as tar:
            for member in tar:
                _write_out(tar, member, fresh)
    except (tarfile.TarError, FileExistsError) as problem:
        raise BACKUP_TAMPERED(part=fresh.name) from problem


def _write_out(tar: tarfile.TarFile, member: tarfile.TarInfo, fresh: Path) -> None:
    """Write one file; only plain ones below the directory. Debian 12's Python has no filters for tar files."""
    target, content = fresh / member.name, tar.extractfile(member) if member.isreg() else None
    if content is None or not target.resolve().is_relative_to(fresh.resolve()):
        raise BACKUP_TAMPERED(part=fresh.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(member.mode & 0o755 | 0o600)
    os.utime(target, (member.mtime, member.mtime))


def lines_of(root: Path) -> Iterator[bytes]:
    """Yield the list of what a directory holds, in the order of `pack`."""
    for path in paths_in(root):
        yield line(digest_of(path), path.stat().st_size, path.relative_to(root).as_posix())


def line(digest: str, size: int, name: str) -> bytes:
    """Return one entry of a store's list."""
    return f"{digest} {size} {name}\n".encode()


def differences(expected: Iterator[bytes], found: Iterator[bytes]) -> Iterator[str]:
    """Yield the names of files that are missing, surplus or other than they were; both lists are sorted alike."""
    left, right = next(expected, None), next(found, None)
    while left is not None or right is not None:
        if left == right:
            left, right = next(expected, None), next(found, None)
            continue
        wanted, there = _place(left), _place(right)
        if right is None or (left is not None and wanted < there):
            yield f"{_name(left)} missing"
            left = next(expected, None)
        elif left is None or there < wanted:
            yield f"{_name(right)} surplus"
            right = next(found, None)
        else:
            yield f"{_name(left)} changed"
            left, right = next(expected, None), next(found, None)


def check_empty(name: str, root: Path) -> None:
    """Return if nothing is in a store. Raises RESTORE_TARGET_NOT_EMPTY."""
    if next(paths_in(root), None) is not None:
        raise RESTORE_TARGET_NOT_EMPTY(found=f"{name} ({root})")


def give_name(fresh: Path, root: Path) -> None:
    """Make the unpacked directory the store; the empty one that was there goes."""
    if root.exists():
        shutil.rmtree(root)
    fresh.rename(root)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who owned the file on this machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _name(entry: bytes | None) -> str:
    return (entry or b"").rstrip(b"\n").split(b" ", 2)[-1].decode()


def _place(entry: bytes | None) -> tuple[str, ...]:
    return tuple(_name(entry).split("/"))
