"""Answer yes, no or unknown about one licence, signed; recorded like a use of its document."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chassis.errors import refuse
from services.certs.domain.evidence.predicate import (
    LICENCE_UNKNOWN,
    Answer,
    Predicate,
    Verdict,
    answer_all,
    asked_digest,
    predicate_violations,
    subject_digest,
)
from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Purpose, category_of, purpose_violations
from services.certs.domain.status import LicenceStatus
from services.certs.domain.usage import ALLOWED, Reader, Usage, UsageKind
from services.certs.usecases.ports import NewId, Registry, SummarySigner
from services.certs.usecases.search import Query, look_for, query_violations

ANSWER_KIND = "answer"
SALT_BYTES = 16
SEVERAL = "SEVERAL_LICENCES_MATCH"
_UNPUBLISHED = frozenset({LicenceStatus.DRAFT, LicenceStatus.PENDING_SEAL})


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with what proves it; ``licence`` is None where there was none to ask about."""

    answer: Answer
    licence: Licence | None
    as_of: datetime
    statement: str
    salt: str
    usage_id: str


async def answer_predicate(
    registry: Registry,
    types: LicenceTypes,
    signer: SummarySigner,
    reader: Reader,
    query: Query,
    predicates: Sequence[Predicate],
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
) -> Answered:
    """Return whether everything asked holds of the one licence that is meant, and sign the answer.

    A licence that is not there, that the reader may not know of, or that is not in force yet: UNKNOWN, all
    the same. Two licences that match are UNKNOWN as well. The line of the usage record carries the purpose;
    its outcome says only whether a licence was there. A case relies on a NO as on a YES: both are signed about
    this version of this licence, and what was decided on a NO must be looked at again when the licence is
    corrected. On an UNKNOWN nobody relies. Raises INVALID_REQUEST, and what a QR code is refused for.
    """
    refuse([*query_violations(query), *predicate_violations(predicates), *purpose_violations(purpose)])
    found = await look_for(registry, signer, reader, query, purpose, (2, None), now)
    licences = [each for each in found.licences if each.status not in _UNPUBLISHED]
    licence = licences[0] if len(licences) == 1 else None
    if len(licences) > 1:
        answer = Answer(Verdict.UNKNOWN, SEVERAL)
    else:
        changes = await registry.evidence.searches.changes(licence.licence_id) if licence else []
        kind = types.of(licence) if licence else None
        answer = answer_all(licence, kind, changes, predicates, now, category_of(purpose))
    usage_id, salt = new_id(), secrets.token_hex(SALT_BYTES)
    line = _line(usage_id, reader, query, purpose, licence, now)
    await registry.usages.add([replace(line, is_relied_on=answer.verdict is not Verdict.UNKNOWN)])
    digests = asked_digest(predicates, salt), _about(query, salt)
    claims = _claims(answer, licence, usage_id, reader, purpose, digests, now)
    return Answered(answer, licence, now, signer.sign(claims, ANSWER_KIND), salt, usage_id)


def _claims(
    answer: Answer,
    licence: Licence | None,
    usage_id: str,
    reader: Reader,
    purpose: Purpose,
    digests: tuple[str, str],
    now: datetime,
) -> dict[str, Any]:
    """Return what is signed: no name, no number, no value; of the question and of whom it is about salted digests.

    An answer without a licence names nobody: only the digest keeps it from standing for somebody else.
    """
    return {
        "jti": usage_id,
        "aud": reader.code,
        "case": purpose.case_id,
        "item": purpose.item_code,
        "lid": licence.licence_id if licence else "",
        "v": licence.version if licence else 0,
        "asked": digests[0],
        "about": digests[1],
        "basis": str(purpose.basis),
        "answer": str(answer.verdict),
        "reason": answer.reason,
        "iat": int(now.timestamp()),
    }


def _about(query: Query, salt: str) -> str:
    way, value = query.given
    return subject_digest(way, value, query.type_codes, salt)


def _line(
    usage_id: str, reader: Reader, query: Query, purpose: Purpose, licence: Licence | None, now: datetime
) -> Usage:
    holder = licence.holders[0] if licence else Holder(*query.holder) if query.holder else None
    outcome = ALLOWED if licence else LICENCE_UNKNOWN
    licence_id = licence.licence_id if licence else ""
    version = licence.version if licence else 0
    return Usage(
        usage_id,
        UsageKind.ANSWER,
        reader,
        purpose,
        now,
        outcome,
        licence_id,
        holder=holder,
        version_read=version,
    )
