"""What changing, renewing and copying have in common: the request, its checks, the document that waits for a seal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, FIELD_TOO_LONG, Violation, refuse
from services.certs.domain.issuing import LICENCE_TYPE_UNKNOWN
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence, Sealing
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.life.order import Decision, LicenceOrder, OrderedAct, decision_violations
from services.certs.domain.life.rules import LifeRules, life_rules
from services.certs.domain.life.succession import Link, LinkKind, LinkState
from services.certs.domain.metadata import record_of
from services.certs.domain.ofd.layout import titled
from services.certs.domain.ofd.package import Rendered, render_page
from services.certs.usecases.life.standing import lock_standing
from services.certs.usecases.make import made_event
from services.certs.usecases.ports import Documents, NewId, Registry

CASE_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Wish:
    """What a department asks to be done with one of its licences, and the decision behind it."""

    department_code: str
    licence_id: str
    etag: str
    decision: Decision
    case: tuple[str, str] = ("", "")
    """case_id and item_code; empty where the issuer acts by itself."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The licence that a wish is about, held, with what its type says."""

    licence: Licence
    link: Link | None
    kind: LicenceType
    rules: LifeRules
    wrong: list[Violation]
    """The wrong fields found so far."""

    def require(self, wish: Wish) -> None:
        """Refuse the request for its wrong fields, then for a stale etag. Raises INVALID_REQUEST, ETAG_MISMATCH."""
        refuse(self.wrong)
        if self.licence.etag != wish.etag:
            raise ETAG_MISMATCH()


async def subject_of(
    registry: Registry, types: LicenceTypes, wish: Wish, act: OrderedAct, *, needs_type: bool = True
) -> Subject:
    """Return what a wish is about; the licence of another issuer is not found.

    Raises INVALID_REQUEST, LICENCE_NOT_FOUND, LICENCE_TYPE_UNKNOWN.
    """
    given = {"licence_id": wish.licence_id, "etag": wish.etag}
    wrong = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    for name, value in zip(("case_id", "item_code"), wish.case, strict=True):
        if len(value) > CASE_LIMIT:
            wrong.append(FIELD_TOO_LONG.at(name, limit=CASE_LIMIT))
    if not wish.licence_id:
        refuse([*wrong, *decision_violations(wish.decision, act, LifeRules())])
    licence = await lock_standing(registry, wish.licence_id)
    if licence is None or licence.issuer_code != wish.department_code:
        raise LICENCE_NOT_FOUND()
    kind = types.get(licence.type_code)
    rules = life_rules(kind)
    wrong += decision_violations(wish.decision, act, rules)
    if kind is None:
        refuse(wrong)
        if needs_type:
            raise LICENCE_TYPE_UNKNOWN(type_code=licence.type_code)
        kind = LicenceType(licence.type_code, licence.type_name, ())
    return Subject(licence, await registry.life.links.of(licence.licence_id), kind, rules, wrong)


async def make_linked(
    registry: Registry,
    documents: Documents,
    subject: Subject,
    licence: Licence,
    order: LicenceOrder,
    extra: Mapping[str, str],
    copy_number: int,
    note: str,
    now: datetime,
) -> Licence:
    """Store a licence that waits for its seal, its document, its link and its order, and tell of it.

    ``extra`` are metadata beside the record's own, ``note`` stands under the title. Raises FACE_TOO_LONG.
    """
    document = await asyncio.to_thread(_drawn, licence, subject.kind, extra, note)
    digest = await documents.put(document.ofd)
    sealing = Sealing(digest, document.seal_x_mm, document.seal_y_mm)
    licence = await registry.licences.add(replace(licence, sealing=sealing))
    await registry.life.links.add_co_holders(licence)
    await registry.life.orders.add(replace(order, result_id=licence.licence_id))
    kind = LinkKind(order.act.value)
    link = Link(
        licence.licence_id, order.licence_id, kind, copy_number, order.order_id, LinkState.WAITING, now
    )
    await registry.life.links.add(link)
    registry.publish(made_event(licence, now), licence.version)
    return licence


def ordered(wish: Wish, act: OrderedAct, new_id: NewId, now: datetime) -> LicenceOrder:
    """Return the order of an act that counts from when it is done."""
    by = f"department/{wish.department_code}"
    return LicenceOrder(new_id(), wish.licence_id, act, wish.decision, now, now, by)


def _drawn(licence: Licence, kind: LicenceType, extra: Mapping[str, str], note: str) -> Rendered:
    record = record_of(licence) | dict(extra)
    return render_page(licence, kind, record, (lambda page: titled(page, note)) if note else None)
