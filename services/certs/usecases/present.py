"""Present a licence (亮证) and verify what was presented."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, Fault, Reason, Violation, refuse
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.holder import holder_violations
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence, require_usable
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.presentation import (
    NOT_IN_FORCE,
    PREFIX,
    PRESENTATION_EXPIRED,
    PRESENTATION_SCANNED,
    PRESENTATION_UNKNOWN,
    STEP,
    Showing,
    code_digest,
    jws_of,
    read_summary,
    summarise,
    verdict,
)
from services.certs.domain.purpose import Basis, Purpose, category_of
from services.certs.domain.usage import ALLOWED, Reader, Usage, UsageKind
from services.certs.domain.use_code import LICENCE_OF_ANOTHER_HOLDER, Grounds, Mode, Power
from services.certs.domain.use_code.entrustment import (
    ENTRUSTMENT_EXPIRED,
    ENTRUSTMENT_REVOKED,
    ENTRUSTMENT_UNKNOWN,
    Person,
    Standing,
)
from services.certs.usecases.ports import Documents, NewId, Registry, SummarySigner
from services.certs.usecases.use_codes import Agent, agent_violations, require_agent, require_standing

CODE_BYTES = 24
PRESENTING = Purpose("持证人亮证", Basis.SHOWN_BY_HOLDER)
SCANNING = Purpose("扫码核验持证人出示的证照", Basis.SHOWN_BY_HOLDER)
REFUSALS: frozenset[Reason] = frozenset(
    {
        PRESENTATION_EXPIRED,
        PRESENTATION_SCANNED,
        ENTRUSTMENT_UNKNOWN,
        ENTRUSTMENT_REVOKED,
        ENTRUSTMENT_EXPIRED,
    }
)
"""What a scan is refused for that names a licence; each such refusal leaves a usage line of its own."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A fresh presentation; the code and the QR text are shown this once."""

    code: str
    qr_text: str
    expires_at: datetime
    refresh_at: datetime
    """When the screen asks for the next one; this one stays good for a step more."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the inspector is told."""

    shown: Shown
    verdict: str
    verified_at: datetime


async def create_presentation(
    registry: Registry,
    signer: SummarySigner,
    reader: Reader,
    licence_id: str,
    holder: Person,
    new_id: NewId,
    now: datetime,
    agent: Agent | None = None,
) -> Presented:
    """Make a code that shows one of the holder's licences, once; the code before it ends a step from now.

    Raises INVALID_REQUEST, LICENCE_NOT_FOUND, LICENCE_NOT_USABLE, and for an agent the refusals of an
    entrustment.
    """
    licence, standing = await presentable(
        registry, reader, licence_id, holder, agent, PRESENTING, new_id, now
    )
    code = secrets.token_urlsafe(CODE_BYTES)
    summary = summarise(licence, code, now)
    if standing is not None:
        summary = replace(summary, expires_at=min(summary.expires_at, standing.expires_at))
    await registry.presentations.supersede(licence.licence_id, summary.issued_at + STEP)
    under = standing.entrustment_id if standing is not None else ""
    await registry.presentations.add(new_id(), code_digest(code), summary, under)
    line = _line(UsageKind.PRESENT, reader, PRESENTING, licence, new_id(), now, ALLOWED)
    await registry.usages.add([replace(line, grounds=grounds_of(agent, licence))])
    qr_text = PREFIX + signer.sign(summary.claims())
    refresh_at = min(summary.issued_at + STEP, summary.expires_at)
    return Presented(code, qr_text, summary.expires_at, refresh_at)


async def presentable(
    registry: Registry,
    reader: Reader,
    licence_id: str,
    holder: Person,
    agent: Agent | None,
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
) -> tuple[Licence, Standing | None]:
    """Return a licence that its holder, or an agent under an entrustment of his, may show now; and that entrustment.

    What is refused is on record for its holder; somebody else learns no more than of a licence that there is
    not. Raises as `create_presentation` does.
    """
    wrong: list[Violation] = [] if licence_id else [FIELD_REQUIRED.at("licence_id")]
    refuse([*wrong, *holder_violations(*holder), *(agent_violations(agent) if agent else ())])
    licence = await registry.licences.get(licence_id)
    if licence is None:
        raise LICENCE_NOT_FOUND()
    try:
        standing = await _require_presentable(registry, licence, holder, agent, now)
    except Fault as refusal:
        line = _line(UsageKind.PRESENT, reader, purpose, licence, new_id(), now, refusal.code)
        line = replace(line, grounds=grounds_of(agent, licence), version_read=0)
        registry.usages.record_if_refused([line])
        if refusal.reason is LICENCE_OF_ANOTHER_HOLDER:
            raise LICENCE_NOT_FOUND() from None
        raise
    return licence, standing


async def _require_presentable(
    registry: Registry, licence: Licence, holder: Person, agent: Agent | None, now: datetime
) -> Standing | None:
    if not licence.is_held_by(*holder):
        raise LICENCE_OF_ANOTHER_HOLDER()
    standing = None
    if agent is not None:
        scope = (licence.type_code, None)
        standing = await require_agent(registry, agent, holder, Power.PRESENT, scope, now)
    require_usable(licence, now)
    return standing


def grounds_of(agent: Agent | None, licence: Licence) -> Grounds | None:
    """Return under which entrustment a licence is shown; None where the holder shows it himself."""
    if agent is None:
        return None
    return Grounds(Mode.ENTRUSTMENT, entrustment_id=agent.entrustment_id, licence_version=licence.version)


async def verify_presentation(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    signer: SummarySigner,
    reader: Reader,
    text: str,
    new_id: NewId,
    now: datetime,
) -> Scanned:
    """Take the one scan of a code, typed or as the whole QR text, and return the licence and a verdict.

    The verdict joins the status of now with the verification made when the licence was sealed; the
    document's digest is checked again. What an agent shows needs his entrustment to stand now. Raises PRESENTATION_UNKNOWN, or one of `REFUSALS`, which the
    caller must record with `record_refused_scan`.
    """
    refuse([] if text else [FIELD_REQUIRED.at("code")])
    digest = await _digest(registry, signer, text)
    showing = await registry.presentations.scan(digest, reader.code, now)
    if showing is None:
        raise await _refusal(registry, digest, now)
    await _require_agent_still(registry, showing, now)
    licence = await registry.licences.get(showing.licence_id)
    if licence is None:
        raise PRESENTATION_UNKNOWN()
    await _record(registry, UsageKind.SCAN, reader, SCANNING, licence, new_id(), now, ALLOWED)
    found = verdict(licence, licence.sealing, await _is_intact(documents, licence), now)
    return Scanned(masked(licence, types.of(licence), category_of(SCANNING)), found, now)


async def require_still_shown(
    registry: Registry, signer: SummarySigner, reader: Reader, text: str, told: str, now: datetime
) -> None:
    """Do nothing if the verdict of a scan may be told again: the licence is no less in force since, nor frozen.

    Raises PRESENTATION_SCANNED, or what an entrustment that ended is refused for; the caller must record it.
    """
    seen = await registry.presentations.look(await _digest(registry, signer, text))
    found = await registry.licences.get_each([seen.licence_id]) if seen else []
    if seen is None or not found or {"", reader.code} & set(found[0].frozen_for):
        raise PRESENTATION_SCANNED()
    await _require_agent_still(registry, seen, now)
    if told != NOT_IN_FORCE and not found[0].is_usable(now):
        raise PRESENTATION_SCANNED()


async def record_refused_scan(
    registry: Registry,
    signer: SummarySigner,
    reader: Reader,
    text: str,
    reason: Reason,
    new_id: NewId,
    now: datetime,
) -> None:
    """Append the line of a refused scan, so that the holder sees that an old code was tried."""
    seen = await registry.presentations.look(await _digest(registry, signer, text))
    licence = await registry.licences.get(seen.licence_id) if seen else None
    if licence is not None:
        await _record(registry, UsageKind.SCAN, reader, SCANNING, licence, new_id(), now, reason.code)


async def _require_agent_still(registry: Registry, showing: Showing, now: datetime) -> None:
    if showing.entrustment_id:
        await require_standing(registry, showing.entrustment_id, now)


async def _digest(registry: Registry, signer: SummarySigner, text: str) -> bytes:
    if not text.startswith(PREFIX):
        return code_digest(text)
    handle = read_summary(signer.read(jws_of(text))).handle
    digest = await registry.presentations.digest_of(handle)
    if digest is None:
        raise PRESENTATION_UNKNOWN()
    return digest


async def _refusal(registry: Registry, digest: bytes, now: datetime) -> Fault:
    seen = await registry.presentations.look(digest)
    if seen is None:
        return PRESENTATION_UNKNOWN()
    if seen.scanned_at is not None:
        return PRESENTATION_SCANNED()
    return PRESENTATION_EXPIRED() if now >= seen.expires_at else PRESENTATION_UNKNOWN()


async def _is_intact(documents: Documents, licence: Licence) -> bool | None:
    """Say whether the sealed document is what was stored; None when there is none."""
    if not licence.sealing.sealed_sha256:
        return None
    try:
        await documents.get(licence.sealing.sealed_sha256)
    except Fault as problem:
        if problem.code in {"FILE_BROKEN", "FILE_NOT_FOUND"}:
            return False
        raise
    return True


async def _record(
    registry: Registry,
    kind: UsageKind,
    reader: Reader,
    purpose: Purpose,
    licence: Licence,
    usage_id: str,
    now: datetime,
    outcome: str,
) -> None:
    await registry.usages.add([_line(kind, reader, purpose, licence, usage_id, now, outcome)])


def _line(
    kind: UsageKind,
    reader: Reader,
    purpose: Purpose,
    licence: Licence,
    usage_id: str,
    now: datetime,
    outcome: str,
) -> Usage:
    holder = licence.holders[0]
    version, licence_id = licence.version, licence.licence_id
    return Usage(
        usage_id, kind, reader, purpose, now, outcome, licence_id, holder=holder, version_read=version
    )
