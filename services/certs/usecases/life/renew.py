"""Change (变更) and renewal (延续): a new version that takes the place of the old one once it is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from chassis.clock import CHINA_TIME
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.order import LicenceOrder, OrderedAct
from services.certs.domain.life.succession import (
    COPY_FOLLOWS_ORIGINAL,
    SUCCESSOR_WAITS,
    Amendment,
    LinkState,
    amendment_violations,
    changed,
    renewed,
    require_in_force,
    waiting_version,
    years_violations,
)
from services.certs.usecases.life.making import Subject, Wish, make_linked, ordered, subject_of
from services.certs.usecases.life.standing import settle
from services.certs.usecases.ports import Documents, NewId, Registry

Made = tuple[Shown, LicenceOrder]


async def change_licence(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    wish: Wish,
    amendment: Amendment,
    new_id: NewId,
    now: datetime,
) -> Made:
    """Make a version with other content, waiting for its seal, and return it masked with the order.

    The earlier version stays in force until the new one is sealed. Raises INVALID_REQUEST naming every
    wrong field, LICENCE_NOT_FOUND, ETAG_MISMATCH, LICENCE_NOT_IN_FORCE, SUCCESSOR_WAITS,
    COPY_FOLLOWS_ORIGINAL, LICENCE_TYPE_UNKNOWN, FACE_TOO_LONG, VERSIONS_USED_UP.
    """
    subject = await subject_of(registry, types, wish, OrderedAct.CHANGE)
    subject.wrong.extend(amendment_violations(amendment, subject.licence, subject.kind))
    licence = await _ready(registry, subject, wish, now)
    content = changed(licence, amendment)
    return await _make(registry, documents, subject, wish, OrderedAct.CHANGE, content, new_id, now)


async def renew_licence(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    wish: Wish,
    years: int,
    new_id: NewId,
    now: datetime,
) -> Made:
    """Make a version whose term ends ``years`` after the present one, and return it masked with the order.

    Raises what `change_licence` raises, and TERM_UNLIMITED.
    """
    subject = await subject_of(registry, types, wish, OrderedAct.RENEW)
    subject.wrong.extend(years_violations(years))
    licence = await _ready(registry, subject, wish, now)
    content = renewed(licence, years, now)
    return await _make(registry, documents, subject, wish, OrderedAct.RENEW, content, new_id, now)


async def _ready(registry: Registry, subject: Subject, wish: Wish, now: datetime) -> Licence:
    subject.require(wish)
    licence = await settle(registry, subject.licence, now)
    if subject.link is not None and subject.link.is_copy:
        raise COPY_FOLLOWS_ORIGINAL()
    require_in_force(licence, now)
    links = await registry.life.links.under(licence.licence_id)
    if any(not each.is_copy and each.state is not LinkState.CALLED_OFF for each in links):
        raise SUCCESSOR_WAITS()
    return licence


async def _make(
    registry: Registry,
    documents: Documents,
    subject: Subject,
    wish: Wish,
    act: OrderedAct,
    content: Licence,
    new_id: NewId,
    now: datetime,
) -> Made:
    used = await registry.life.links.newest_version(content.lineage_id)
    version = waiting_version(content, subject.kind, new_id(), used, wish.case, now)
    order = ordered(wish, act, new_id, now)
    made = await make_linked(
        registry, documents, subject, version, order, change_record(wish, now), 0, "", now
    )
    return masked(made, subject.kind), _with_result(order, made)


def change_record(wish: Wish, now: datetime) -> Mapping[str, str]:
    """Return the fields of GB/T 36903 that a changed licence says of its change."""
    said = now.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")
    return {"ZZBGSJ": said, "ZZBGYY": wish.decision.reason}


def _with_result(order: LicenceOrder, made: Licence) -> LicenceOrder:
    return replace(order, result_id=made.licence_id)
