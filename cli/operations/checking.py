"""Whether a backup can be trusted, judged without changing anything."""

from __future__ import annotations

from pathlib import Path

import pyrage

from cli.operations.faults import BACKUP_INCOMPLETE, BACKUP_TAMPERED, BACKUP_TRUNCATED
from cli.operations.manifest import FILE, SIGNATURE, Manifest, Part, parse_manifest, read_manifest_bytes
from cli.operations.parts import digest_of, reading
from cli.operations.progress import Follow
from cli.operations.signing import check_signature

_NAMED = 20


def check_backup(backup: Path, verifying_key: Path, follow: Follow) -> Manifest:
    """Return the manifest of a backup that is ours, whole and unchanged, byte for byte.

    Raises BACKUP_INCOMPLETE, BACKUP_SIGNATURE_WRONG, BACKUP_FOREIGN_VERSION, BACKUP_TRUNCATED, BACKUP_TAMPERED,
    BACKUP_KEY_UNREADABLE.
    """
    data, signature = read_manifest_bytes(backup)
    check_signature(data, signature, verifying_key)
    manifest = parse_manifest(data)
    parts = {part.path: part for part in manifest.parts()}
    there = {path.name for path in backup.iterdir()}
    missing = sorted(parts.keys() - there)
    if missing:
        raise BACKUP_INCOMPLETE(missing=", ".join(missing[:_NAMED]))
    surplus = sorted(there - parts.keys() - {FILE, SIGNATURE})
    if surplus:
        raise BACKUP_TAMPERED(part=", ".join(surplus[:_NAMED]))
    advance = follow("校验 | checking", manifest.size_bytes)
    for part in parts.values():
        _check_part(backup, part)
        advance(part.size_bytes)
    return manifest


def check_identity(backup: Path, manifest: Manifest, identity: pyrage.x25519.Identity) -> None:
    """Return if the identity opens the backup. Raises BACKUP_IDENTITY_WRONG."""
    smallest = min(manifest.parts(), key=lambda part: part.size_bytes)
    with reading(backup, smallest, identity) as following:
        while following():
            pass


def _check_part(backup: Path, part: Part) -> None:
    size = (backup / part.path).stat().st_size
    if size != part.size_bytes:
        raise BACKUP_TRUNCATED(part=part.path, found=size, expected=part.size_bytes)
    if digest_of(backup / part.path) != part.sha256:
        raise BACKUP_TAMPERED(part=part.path)
