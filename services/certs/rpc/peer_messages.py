"""What other registries say in their calls: who reads, what for, when; refused with every wrong part named."""

from __future__ import annotations

from datetime import UTC, datetime

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Violation, refuse
from chassis.rpc.access import is_uuid
from chassis.rpc.call import caller
from services.certs.domain.usage import Reader, UsageKind
from services.certs.rpc import messages
from services.certs.usecases.federation.exchanging import USES
from services.certs.usecases.federation.ports import OwedUse, PeerQuestion
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import licence_pb2

CODE_LIMIT, NAME_LIMIT = 100, 200


def question(request: pb.AskSharedRequest) -> PeerQuestion:
    """Return what another registry asks. Raises INVALID_REQUEST."""
    refuse([*_reader_violations(request.reader), *_unwritable(request.purpose, "purpose")])
    return PeerQuestion(
        request.holder_id_type_code,
        request.holder_id_number,
        tuple(request.type_codes),
        _reader(request.reader),
        messages.purpose(request.purpose),
    )


def _reader(said: pb.PeerReader) -> Reader:
    """Return the reader of another registry: that registry answers for it, so its code is told by its name.

    Nobody of ours has such a code: what is done about this reader is done about no department of ours.
    """
    peer = caller().peer
    assert peer is not None, "the access rule lets registries in"
    return Reader(f"{peer.name}/{said.code}", f"{said.name} ({peer.name})".strip(), said.is_department)


def _reader_violations(said: pb.PeerReader, at: str = "reader") -> list[Violation]:
    wrong = [] if said.code else [FIELD_REQUIRED.at(f"{at}.code")]
    for name, limit in (("code", CODE_LIMIT), ("name", NAME_LIMIT)):
        if len(getattr(said, name)) > limit:
            wrong.append(FIELD_TOO_LONG.at(f"{at}.{name}", limit=limit))
        elif "\x00" in getattr(said, name):
            wrong.append(FIELD_MALFORMED.at(f"{at}.{name}"))
    return wrong


def _unwritable(purpose: licence_pb2.Purpose, at: str) -> list[Violation]:
    """Return the texts of a purpose that cannot be stored."""
    names = ("use_cause", "item_code", "case_id")
    return [FIELD_MALFORMED.at(f"{at}.{name}") for name in names if "\x00" in getattr(purpose, name)]


def uses(request: pb.TellUsesRequest) -> list[OwedUse]:
    """Return the uses that another registry tells of. Raises INVALID_REQUEST."""
    refuse([FIELD_TOO_LONG.at("uses", limit=USES)] if len(request.uses) > USES else [])
    moments = [_used_at(each) for each in request.uses]
    wrong = []
    for at, (each, used_at) in enumerate(zip(request.uses, moments, strict=True)):
        wrong += _use_violations(each, used_at, f"uses[{at}]")
    refuse(wrong)
    return [
        OwedUse(
            each.usage_id,
            "",
            each.licence_id,
            each.kind,
            _reader(each.reader),
            messages.purpose(each.purpose),
            used_at,
        )
        for each, used_at in zip(request.uses, moments, strict=True)
        if used_at is not None
    ]


def _used_at(use: pb.PeerUse) -> datetime | None:
    """Return when a licence was used; None for what is no moment of the calendar."""
    try:
        used_at: datetime = use.used_at.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return used_at


def _use_violations(use: pb.PeerUse, used_at: datetime | None, at: str) -> list[Violation]:
    wrong = [
        FIELD_MALFORMED.at(f"{at}.{name}")
        for name in ("usage_id", "licence_id")
        if not is_uuid(getattr(use, name))
    ]
    if use.kind != UsageKind.FIND:
        wrong.append(FIELD_MALFORMED.at(f"{at}.kind"))
    if not use.HasField("used_at"):
        wrong.append(FIELD_REQUIRED.at(f"{at}.used_at"))
    elif used_at is None:
        wrong.append(FIELD_MALFORMED.at(f"{at}.used_at"))
    return [
        *wrong,
        *_reader_violations(use.reader, f"{at}.reader"),
        *_unwritable(use.purpose, f"{at}.purpose"),
    ]
