"""The upload gate: nothing of a file is kept before its size, type, inside and a scanner let it pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from chassis.errors import Kind, declare
from services.intake.domain.cases.materials import FILE_LIMIT_BYTES
from services.intake.usecases.identity.ports import Allowance, Limits

_MIB = 1024 * 1024
UPLOADS_BY_PERSON = Allowance("uploads_by_person", 200, 3_600)
"""Several times what the longest material list takes; what is replaced stays on the disk for a while."""
UPLOADED_MIB_BY_PERSON = Allowance("uploaded_mib_by_person", 500, 86_400)
"""So that no one person fills the disk (ASVS 5.2.4)."""

UPLOAD_TOO_LARGE = declare(
    "UPLOAD_TOO_LARGE",
    Kind.INVALID_ARGUMENT,
    "文件不能超过 {limit_bytes} 字节",
    "A file has at most {limit_bytes} bytes",
)


class Inspector(Protocol):
    """Knows file types and what is wrong inside a file."""

    def media_type_of(self, content: bytes, file_name: str) -> str:
        """Return the type. Raises UPLOAD_TYPE_UNKNOWN."""
        ...

    async def inspect(self, content: bytes, media_type: str) -> bytes:
        """Return what to keep. Raises FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX, FILE_ACTIVE, FILE_UNSAFE_NAMES."""
        ...

    async def scan(self, content: bytes) -> str:
        """Return "clean" or "unscanned". Raises FILE_INFECTED, PEER_UNAVAILABLE."""
        ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """A file that may be kept, as it may be kept."""

    content: bytes
    media_type: str
    scan: str


async def admit_upload(
    limits: Limits, inspector: Inspector, person_id: str, content: bytes, file_name: str
) -> Admitted:
    """Return a file that passed every check; the cheap ones come first, and all before anything is stored.

    Raises TOO_MANY_REQUESTS, UPLOAD_TOO_LARGE, UPLOAD_TYPE_UNKNOWN, and what `Inspector` raises.
    """
    await limits.check(UPLOADS_BY_PERSON, person_id)
    if len(content) > FILE_LIMIT_BYTES:
        raise UPLOAD_TOO_LARGE(limit_bytes=FILE_LIMIT_BYTES)
    media_type = inspector.media_type_of(content, file_name)
    await limits.check(UPLOADED_MIB_BY_PERSON, person_id, cost=max(1, math.ceil(len(content) / _MIB)))
    scan = await inspector.scan(content)
    return Admitted(await inspector.inspect(content, media_type), media_type, scan)
