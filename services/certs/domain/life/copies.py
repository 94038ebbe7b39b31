"""Attached copies (副本): licences of their own with the content of their original.

GB/T 36904 knows no copy number, so a copy has a serial of its own: that of the original, ``F``, three
digits of the original's version and two of the copy's number. Original and copies have equal force,
and fall together.
"""

from __future__ import annotations

from dataclasses import replace

from chassis.errors import Kind, declare
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.life.succession import afresh
from services.certs.domain.status import TRANSITIONS, Act, LicenceStatus, StatusChange
from standards.identifiers import build_licence_identifier, parse_licence_identifier

COPY_MARK = "F"
COPY_FIELD = "KZ_FBXH"
"""Where the file's metadata say which copy it is (副本序号); GB/T 36903 has no field of its own."""

COPIES_USED_UP = declare(
    "COPIES_USED_UP",
    Kind.FAILED_PRECONDITION,
    "该类型证照最多可制发 {limit} 份副本",
    "A licence of this type has at most {limit} attached copies",
)
COPY_OF_COPY = declare(
    "COPY_OF_COPY", Kind.FAILED_PRECONDITION, "副本不能再制发副本", "A copy has no copies of its own"
)

TOGETHER = frozenset({Act.SUSPEND, Act.RESTORE, Act.REPLACE, Act.CANCEL, Act.REVOKE, Act.FORFEIT})
"""What a copy undergoes with its original; its term is the same, so it expires by itself."""


def waiting_copy(original: Licence, kind: LicenceType, licence_id: str, number: int) -> Licence:
    """Return a copy that waits for its seal. Raises the identifier rule that an imported identifier breaks."""
    parts = parse_licence_identifier(original.identifier)
    serial = f"{parts.serial}{COPY_MARK}{parts.version:03d}{number:02d}"
    return replace(
        afresh(original, kind),
        licence_id=licence_id,
        identifier=build_licence_identifier(parts.type_code, parts.issuer, serial),
        serial_version=1,
    )


def title_note(number: int) -> str:
    """Return what stands under the title of a copy."""
    return f"（副本 {number}）"


def along(change: StatusChange, status: LicenceStatus) -> StatusChange | None:
    """Return what a copy of this status undergoes when its original underwent ``change``; None for nothing.

    A copy that still waits for its seal is called off when its original falls.
    """
    act = change.act
    if status is LicenceStatus.PENDING_SEAL and act in TOGETHER - {Act.SUSPEND, Act.RESTORE}:
        act = Act.CANCEL
    if act not in TOGETHER or status not in TRANSITIONS[act][0]:
        return None
    return replace(change, previous=status, status=TRANSITIONS[act][1], act=act)
