"""Make what an approved part results in: a licence of its own, or the next version of the one it renews or changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.certs.domain.issuing import LICENCE_TYPE_UNKNOWN, IssueData, check_issue_data
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.order import Decision, OrderedAct
from services.certs.domain.life.rules import life_rules
from services.certs.domain.life.succession import (
    COPY_FOLLOWS_ORIGINAL,
    SUCCESSOR_WAITS,
    Amendment,
    LinkState,
    changed,
    renewed,
    require_in_force,
    waiting_version,
)
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.life.making import Subject, Wish, make_linked, ordered
from services.certs.usecases.life.renew import change_record
from services.certs.usecases.life.standing import lock_standing, settle
from services.certs.usecases.make import make_licence
from services.certs.usecases.ports import Documents, NewId, Registry

_ACTS = {"renew": OrderedAct.RENEW, "change": OrderedAct.CHANGE}
_WORDS = {OrderedAct.RENEW: "依申请延续", OrderedAct.CHANGE: "依申请变更"}


async def make_from_approval(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    data: IssueData,
    new_id: NewId,
    now: datetime,
) -> Licence:
    """Make the licence of an approved part, or the version that follows the one it renews or changes.

    A part has one licence: again for the same part returns that one. Where the case names no earlier
    licence of this type, issuer and holder, or its term is over, a licence of its own is made.
    Raises what `make_licence` raises; LICENCE_NOT_IN_FORCE for one that is suspended or has fallen,
    SUCCESSOR_WAITS, COPY_FOLLOWS_ORIGINAL: the issuer must look first.
    """
    existing = await registry.licences.by_part(data.part_id)
    if existing:
        return existing
    act = _ACTS.get(data.operation)
    earlier = await _earlier(registry, data, now) if act else None
    if act is None or earlier is None:
        return await make_licence(registry, documents, types, data, new_id, now)
    return await _make_version(registry, documents, types, data, earlier, act, new_id, now)


async def _earlier(registry: Registry, data: IssueData, now: datetime) -> Licence | None:
    """Return the licence to be followed, held and settled; None where there is none to follow."""
    found = await lock_standing(registry, data.predecessor_id) if data.predecessor_id else None
    if found is None or (found.type_code, found.issuer_code) != (data.type_code, data.issuer_code):
        return None
    if not found.is_held_by(data.holder.id_type_code, data.holder.id_number):
        return None
    found = await settle(registry, found, now)
    return None if found.usability(now) is LicenceStatus.EXPIRED else found


async def _make_version(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    data: IssueData,
    earlier: Licence,
    act: OrderedAct,
    new_id: NewId,
    now: datetime,
) -> Licence:
    kind = types.get(data.type_code)
    if kind is None:
        raise LICENCE_TYPE_UNKNOWN(type_code=data.type_code)
    check_issue_data(data)
    link = await registry.life.links.of(earlier.licence_id)
    await _require_free(registry, earlier, is_copy=link is not None and link.is_copy, now=now)
    known = {name: value for name, value in data.face.items() if kind.field(name)}
    holders = (data.holder,) if len(earlier.holders) == 1 else ()  # a case speaks for one of several
    content = changed(earlier, Amendment(known, holders))
    if act is OrderedAct.RENEW and earlier.valid_until is not None and data.validity_years:
        content = renewed(content, data.validity_years, now)
    used = await registry.life.links.newest_version(earlier.lineage_id)
    case = (data.case_id, data.item_code)
    version = waiting_version(content, kind, new_id(), used, case, now)
    version = replace(version, part_id=data.part_id, issuer_name=data.issuer_name)
    said = Decision(_WORDS[act], f"办件 {data.case_id}", "intake")
    wish = Wish(data.issuer_code, earlier.licence_id, earlier.etag, said, case)
    subject = Subject(earlier, link, kind, life_rules(kind), [])
    order = ordered(wish, act, new_id, now)
    extra = change_record(wish, now)
    return await make_linked(registry, documents, subject, version, order, extra, 0, "", now)


async def _require_free(registry: Registry, earlier: Licence, *, is_copy: bool, now: datetime) -> None:
    if is_copy:
        raise COPY_FOLLOWS_ORIGINAL()
    require_in_force(earlier, now)
    links = await registry.life.links.under(earlier.licence_id)
    if any(not each.is_copy and each.state is not LinkState.CALLED_OFF for each in links):
        raise SUCCESSOR_WAITS()
