"""Between what the domain says of uses, grants, rules and placements and the messages on the wire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import Message

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Violation, refuse
from chassis.rpc.moments import stamp
from services.seal.domain.authorisation import DocumentType, Grant, GranteeKind, SealRules
from services.seal.domain.ledger import UseDetail
from services.seal.domain.placing import At, AtKeyword, Edge, OnEveryPage, Riding, Wish
from services.seal.domain.sealing import Protect
from services.seal.usecases.companions import PdfLevel
from services.seal.usecases.stamping import DocumentFormat
from services.seal.usecases.use_seal import SealTask
from services.seal.usecases.using_ports import StoredDocument
from tongban.seal.v1 import seal_pb2
from tongban.seal.v1 import use_pb2 as pb

T = TypeVar("T")
TYPES: dict[int, DocumentType] = {
    pb.DocumentType.Value(f"DOCUMENT_TYPE_{each.name}"): each for each in DocumentType
}
GRANTEES: dict[int, GranteeKind] = {
    pb.GranteeKind.Value(f"GRANTEE_KIND_{each.name}"): each for each in GranteeKind
}
_FORMATS: dict[int, DocumentFormat] = {
    pb.DocumentFormat.Value(f"DOCUMENT_FORMAT_{each.name}"): each for each in DocumentFormat
}
_MODES: dict[int, Protect] = {pb.ProtectMode.Value(f"PROTECT_MODE_{each.name}"): each for each in Protect}
_LEVELS: dict[int, PdfLevel] = {pb.PdfLevel.Value(f"PDF_LEVEL_{each.name}"): each for each in PdfLevel}
_EDGES: dict[int, Edge] = {pb.RidingEdge.Value(f"RIDING_EDGE_{each.name}"): each for each in Edge}


def task_of(request_id: str, message: pb.SealTask, account: str) -> SealTask:
    """Return the task. Raises INVALID_REQUEST naming every field that cannot be read."""
    wrong: list[Violation] = []
    kind = chosen(TYPES, message.document_type, "task.document_type", wrong)
    form = chosen(_FORMATS, message.format or pb.DOCUMENT_FORMAT_OFD, "task.format", wrong)
    is_pdf = message.format == pb.DOCUMENT_FORMAT_PDF  # which never closes to further signatures
    usual = pb.PROTECT_MODE_CONTINUE if is_pdf else pb.PROTECT_MODE_WHOLE
    mode = chosen(_MODES, message.mode or usual, "task.mode", wrong)
    if is_pdf and message.mode == pb.PROTECT_MODE_WHOLE:
        wrong.append(FIELD_MALFORMED.at("task.mode"))
    if message.level and not is_pdf:
        wrong.append(FIELD_MALFORMED.at("task.level"))
    level = chosen(_LEVELS, message.level or pb.PDF_LEVEL_B_B, "task.level", wrong)
    wishes = [_wish(each, f"task.placements[{at}]", wrong) for at, each in enumerate(message.placements)]
    refuse(wrong)
    return SealTask(
        account=account,
        request_id=request_id.lower(),
        seal_id=message.seal_id,
        document_type=kind,
        service_item=message.service_item,
        case_id=message.case_id,
        reviewer=message.reviewer,
        mode=mode,
        format=form,
        level=level,
        wishes=tuple(each for each in wishes if each is not None),
    )


def chosen(known: Mapping[int, T], number: int, field: str, wrong: list[Violation]) -> T:
    """Return what a number stands for; none, or an unknown one, is added to what is wrong and to be refused."""
    found = known.get(number)
    if found is None:
        wrong.append((FIELD_MALFORMED if number else FIELD_REQUIRED).at(field))
        return next(iter(known.values()))
    return found


def signature_message(stored: StoredDocument) -> pb.DocumentSignature:
    """Return what is said of a sealed document besides its bytes."""
    return pb.DocumentSignature(
        signature_id=stored.signature_id,
        seal_id=stored.seal_id,
        sha256=stored.sha256,
        size_bytes=len(stored.ofd),
        signed_at=stamp(stored.signed_at),
    )


def detail_message(detail: UseDetail) -> seal_pb2.UseDetail:
    """Return what a row of the second form says besides."""
    return seal_pb2.UseDetail(
        document_type=pb.DocumentType.Value(f"DOCUMENT_TYPE_{detail.document_type.upper()}"),
        service_item=detail.service_item,
        account=detail.account,
        reviewer=detail.reviewer,
        request_id=detail.request_id,
        item_id=detail.item_id,
        mode=pb.ProtectMode.Value(f"PROTECT_MODE_{detail.mode.upper()}"),
        format=pb.DocumentFormat.Value(f"DOCUMENT_FORMAT_{detail.format.upper()}"),
        document_count=detail.document_count,
        grant_id=detail.grant_id,
        approvers=detail.approvers,
        day_uses=detail.day_uses,
    )


def grant_message(grant: Grant) -> pb.SealGrant:
    """Return a grant as callers see it."""
    ended = grant.withdrawal
    return pb.SealGrant(
        grant_id=grant.grant_id,
        seal_id=grant.seal_id,
        grantee_kind=pb.GranteeKind.Value(f"GRANTEE_KIND_{grant.grantee_kind.name}"),
        grantee=grant.grantee,
        document_type=pb.DocumentType.Value(f"DOCUMENT_TYPE_{grant.document_type.name}"),
        service_item=grant.service_item,
        case_id=grant.case_id,
        valid_from=stamp(grant.valid_from),
        valid_until=stamp(grant.valid_until) if grant.valid_until else None,
        granted_at=stamp(grant.granted_at),
        operator=grant.operator,
        second_person=grant.second_person,
        reason=grant.reason,
        implicit=grant.implicit,
        withdrawn_at=stamp(ended.withdrawn_at) if ended else None,
        withdrawn_by=ended.operator if ended else "",
        withdrawal_reason=ended.reason if ended else "",
    )


def rules_message(rules: SealRules) -> pb.SealRules:
    """Return a seal's rules as callers see them."""
    return pb.SealRules(
        seal_id=rules.seal_id,
        quorum=rules.quorum,
        daily_limit=rules.daily_limit,
        burst_limit=rules.burst_limit,
        etag=rules.etag,
        changed_at=stamp(rules.changed_at) if rules.changed_at else None,
        operator=rules.operator,
        second_person=rules.second_person,
        reason=rules.reason,
    )


def _wish(message: pb.Placement, field: str, wrong: list[Violation]) -> Wish | None:
    where = message.WhichOneof("where")
    if where is None:
        wrong.append(FIELD_REQUIRED.at(field))
        return None
    wrong += _not_finite(getattr(message, where), f"{field}.{where}")
    if where == "at":
        return At(message.at.page, message.at.x_mm, message.at.y_mm)
    if where == "every_page":
        return OnEveryPage(message.every_page.x_mm, message.every_page.y_mm)
    if where == "riding":
        riding = message.riding
        edge = chosen(_EDGES, riding.edge or pb.RIDING_EDGE_RIGHT, f"{field}.riding.edge", wrong)
        return Riding(riding.offset_mm, edge, riding.group or None)
    named = message.keyword
    return AtKeyword(named.keyword, named.occurrence or None, named.offset_x_mm, named.offset_y_mm)


def _not_finite(message: Message, field: str) -> list[Violation]:
    return [
        FIELD_MALFORMED.at(f"{field}.{each.name}")
        for each, value in message.ListFields()
        if isinstance(value, float) and not math.isfinite(value)
    ]
