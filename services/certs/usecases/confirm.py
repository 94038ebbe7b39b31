"""Yes or no about what a licence in force states, without a copy of it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, refuse
from services.certs.domain.disclosure import Shown
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.read import Question, Within, find


async def confirm_face(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    question: Question,
    face: Mapping[str, str],
    new_id: NewId,
    now: datetime,
) -> Shown | None:
    """Return, masked, the licence that states every one of these face values, or None.

    ``question`` should ask for licences in force only. The look-up leaves its usage lines, and each licence
    that the answer rests on one more: the one that states it or, for a no, all that do not. A case relies on
    the licence that says yes; a no names none, so that no case is called back for it when one of them falls.
    A field that its type hides from such a purpose states nothing. Raises INVALID_REQUEST, LICENCE_IN_DISPUTE
    for a no as for a yes.
    """
    missing = [] if face else [FIELD_REQUIRED.at("face")]
    refuse([*missing, *(FIELD_REQUIRED.at(f"face.{name}") for name, value in face.items() if not value)])
    found = await find(Within(registry, types, new_id), reader, question, now)
    stating = next((each for each in found if _states(each, face)), None)
    answering = [stating] if stating is not None else found
    lines = [_line(reader, question, each, new_id(), now) for each in answering]
    await registry.usages.add([replace(each, is_relied_on=stating is not None) for each in lines])
    return stating


def _line(reader: Reader, question: Question, asked: Shown, usage_id: str, now: datetime) -> Usage:
    """Return the line of the answer beside the look-up: it is refused for a licence in dispute."""
    licence = asked.licence
    return Usage(
        usage_id,
        UsageKind.ANSWER,
        reader,
        question.purpose,
        now,
        licence_id=licence.licence_id,
        holder=licence.holders[0],
        version_read=licence.version,
    )


def _states(shown: Shown, face: Mapping[str, str]) -> bool:
    return all(
        name in shown.face and hmac.compare_digest(shown.licence.face.get(name, "").encode(), value.encode())
        for name, value in face.items()
    )
