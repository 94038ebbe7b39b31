"""The registry of another process as holders ask it: its rules about whose a licence is, kept in memory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from chassis.errors import ETAG_MISMATCH, PEER_UNAVAILABLE, Kind, Reason
from services.intake.usecases.holdings import (
    Complaint,
    HolderDispute,
    LicenceUse,
    UseFilter,
    UseStatement,
)
from services.intake.usecases.licences import OWN_LICENCE_NOT_FOUND, OwnLicence

Holder = tuple[str, str]
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DISPUTE_NOT_FOUND = Reason("DISPUTE_NOT_FOUND", Kind.NOT_FOUND, "没有找到该异议", "No such dispute")


class Held(Protocol):
    """Whose licences there are."""

    held: dict[Holder, list[OwnLicence]]


@dataclass
class HeldThere:
    """The ports ``Holdings`` and ``EntrustmentRegistry`` over what a test says is held."""

    registry: Held
    used: dict[Holder, list[LicenceUse]] = field(default_factory=dict)
    opened: dict[str, tuple[Holder, HolderDispute]] = field(default_factory=dict)
    asked: list[UseFilter] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    revoked: list[tuple[str, Holder, str]] = field(default_factory=list)
    is_down: bool = False

    async def uses(
        self, holder: Holder, wanted: UseFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[LicenceUse], str]:
        self.asked.append(wanted)
        found = self.used.get(holder, [])
        return [each for each in found if wanted.licence_id in {"", each.licence_id}][:page_size], ""

    async def export(self, holder: Holder, wanted: UseFilter, page_token: str) -> UseStatement:
        self.asked.append(wanted)
        return UseStatement("a.b.c", len(self.used.get(holder, [])), "", "salt")

    async def open_dispute(self, holder: Holder, complaint: Complaint, request_id: str) -> HolderDispute:
        if all(each.licence_id != complaint.licence_id for each in self.registry.held.get(holder, [])):
            raise OWN_LICENCE_NOT_FOUND()
        if request_id not in self.opened:
            self.opened[request_id] = holder, dispute_of(complaint)
        return self.opened[request_id][1]

    async def withdraw_dispute(
        self, holder: Holder, dispute_id: str, etag: str, reason: str, request_id: str
    ) -> HolderDispute:
        for name, (owner, each) in self.opened.items():
            if owner == holder and each.dispute_id == dispute_id:
                if each.etag != etag:
                    raise ETAG_MISMATCH()
                self.opened[name] = owner, replace(each, state="withdrawn", etag="2", settled_at=AT)
                return self.opened[name][1]
        raise DISPUTE_NOT_FOUND()

    async def record(self, statement: str, request_id: str) -> None:
        if self.is_down:
            raise PEER_UNAVAILABLE(peer="certs")
        self.recorded.append(statement)

    async def revoke(self, entrustment_id: str, grantor: Holder, reason: str, request_id: str) -> int:
        if self.is_down:
            raise PEER_UNAVAILABLE(peer="certs")
        self.revoked.append((entrustment_id, grantor, reason))
        return 2

    async def disputes(
        self, holder: Holder, page_size: int, page_token: str
    ) -> tuple[Sequence[HolderDispute], str]:
        return [each for owner, each in self.opened.values() if owner == holder], ""


def dispute_of(complaint: Complaint) -> HolderDispute:
    """Return the dispute that a complaint opens."""
    return HolderDispute(
        str(uuid.uuid4()),
        complaint.licence_id,
        complaint.kind,
        complaint.usage_id,
        "",
        "113611230142870044",
        "opened",
        complaint.statement,
        AT,
        "2026-03-20",
        None,
        None,
        "",
        "",
        "1",
    )


def use_of(licence_id: str, **changed: Any) -> LicenceUse:
    """Return a use by a department under a consent."""
    use = LicenceUse(
        usage_id=str(uuid.uuid4()),
        licence_id=licence_id,
        licence_type_name="食品经营许可证",
        consumer_code="113611230142870044",
        consumer_name="玉山县某局",
        kind="consume",
        used_at=AT,
        use_cause="核对经营场所",
        item_code="item-1",
        case_id="case-1",
        basis="consent",
        consent_id="consent-1",
        legal_article="",
        entrustment_id="",
        face_fields=("KZ_JYCS",),
        outcome="allowed",
        dispute_id="",
    )
    return replace(use, **changed)
