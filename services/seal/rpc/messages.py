"""Between the domain's values and the messages on the wire, and what a page request may say."""

from __future__ import annotations

from chassis.errors import FIELD_MALFORMED, refuse
from chassis.rpc.call import caller
from chassis.rpc.moments import stamp
from services.seal.domain.ledger import SealUse
from services.seal.domain.register import RegisteredSeal, SealStatus
from services.seal.rpc.application_messages import kind_message, shown_name
from services.seal.rpc.use_messages import detail_message
from tongban.seal.v1 import seal_pb2 as pb


def status_message(status: SealStatus) -> pb.SealStatus.ValueType:
    """Return the state's number on the wire."""
    return pb.SealStatus.Value(f"SEAL_STATUS_{status.name}")


def status_of(number: int) -> SealStatus:
    """Return the state of a number. Raises INVALID_REQUEST for none or an unknown one."""
    for status in SealStatus:
        if status_message(status) == number:
            return status
    refuse([FIELD_MALFORMED.at("status")])
    raise AssertionError(number)


def seal_message(seal: RegisteredSeal, *, clear: bool = False) -> pb.Seal:
    """Return a seal as callers see it; a person's name only where `clear`."""
    return pb.Seal(
        seal_id=seal.seal_id,
        name=shown_name(seal.kind, seal.name, clear=clear),
        owner_code=seal.owner_code,
        status=status_message(seal.status),
        valid_from=stamp(seal.valid_from),
        valid_until=stamp(seal.valid_until),
        etag=seal.etag,
        kind=kind_message(seal.kind),
        filing_number=seal.filing_number,
        replaces=seal.replaces,
        replaced_by=seal.replaced_by,
        application_id=seal.application_id,
        width_mm=seal.width_mm,
        height_mm=seal.height_mm,
    )


def use_message(use: SealUse) -> pb.SealUse:
    """Return a row of the ledger as callers see it."""
    entry = use.entry
    return pb.SealUse(
        sequence=use.sequence,
        signature_id=entry.signature_id,
        seal_id=entry.seal_id,
        licence_id=entry.licence_id,
        case_id=entry.case_id,
        document_sm3=entry.document_sm3,
        used_at=stamp(entry.used_at),
        outcome=entry.outcome,
        detail=detail_message(entry.detail) if entry.detail else None,
    )


def own_only() -> str | None:
    """Return the code of a calling department, which sees its own seals only; None for operators, who see all."""
    peer = caller().peer
    return peer.name if peer is not None and peer.kind == "department" else None


def check_page_size(page_size: int) -> None:
    """Refuse a negative page size."""
    refuse([FIELD_MALFORMED.at("page_size")] if page_size < 0 else [])
