"""Between applications for seals and the messages on the wire; a person's name is masked here."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Violation, refuse
from chassis.rpc.moments import stamp
from services.seal.domain.application import Application, ApplicationStatus, Wish
from services.seal.domain.kinds import RULES, SealKind
from services.seal.usecases.application_ports import KeyRequest
from standards.identifiers import check_uscc
from standards.masking import mask_name
from tongban.seal.v1 import application_pb2 as pb


def shown_name(kind: SealKind, name: str, *, clear: bool) -> str:
    """Return the name as a caller may see it: a person's in clear only where that is said."""
    return name if clear or not RULES[kind].is_person else mask_name(name)


def kind_message(kind: SealKind) -> pb.SealKind.ValueType:
    """Return the kind's number on the wire."""
    return pb.SealKind.Value(f"SEAL_KIND_{kind.name}")


def application_message(application: Application, *, clear: bool) -> pb.SealApplication:
    """Return an application as a caller sees it; a person's name only where `clear`."""
    wish, decided = application.wish, application.decided
    return pb.SealApplication(
        application_id=application.application_id,
        kind=kind_message(wish.kind),
        owner_code=wish.owner_code,
        owner_name=wish.owner_name,
        division=wish.division,
        name=shown_name(wish.kind, wish.name, clear=clear),
        line=wish.line,
        number=wish.number,
        width_mm=wish.width_mm,
        height_mm=wish.height_mm,
        has_picture=bool(wish.picture),
        replaces=wish.replaces,
        external_certificates=wish.external,
        reason=wish.reason,
        operator=wish.operator,
        applied_at=stamp(application.applied_at),
        status=_status_message(application.state),
        decided_by=decided.operator if decided else "",
        decided_reason=decided.reason if decided else "",
        decided_at=stamp(application.decided_at) if application.decided_at else None,
        seal_id=application.seal_id,
        etag=application.etag,
    )


def request_messages(requests: Iterable[KeyRequest]) -> Iterable[pb.CertificateRequest]:
    """Yield the requests for certificates of an application's keys."""
    for each in requests:
        yield pb.CertificateRequest(suite=each.suite, request_der=each.request)


def wish_of(request: pb.ApplyForSealRequest, account: str) -> tuple[Wish, list[Violation]]:
    """Return what is applied for, and what the wire alone shows to be wrong of it.

    Raises INVALID_REQUEST for no kind or an unknown one, which decides on every other field.
    """
    kinds = {kind_message(kind): kind for kind in SealKind}
    kind = kinds.get(request.kind)
    refuse([FIELD_REQUIRED.at("kind")] if kind is None else [])
    assert kind is not None
    wish = Wish(
        kind=kind,
        owner_code=request.owner_code,
        owner_name=request.owner_name,
        division=request.division,
        name=request.name,
        reason=request.reason,
        operator=request.operator,
        account=account,
        line=request.line,
        number=request.number,
        picture=request.picture,
        width_mm=request.width_mm,
        height_mm=request.height_mm,
        replaces=request.replaces,
        external=request.external_certificates,
    )
    rule = check_uscc(request.owner_code).rule if request.owner_code else None
    return wish, [rule.at("owner_code")] if rule else []


def without_name(request: pb.ApplyForSealRequest, index: bytes) -> pb.ApplyForSealRequest:
    """Return the request as it is remembered: a person's name by its blind index, from which nobody guesses it."""
    if not index:
        return request
    kept = pb.ApplyForSealRequest()
    kept.CopyFrom(request)
    kept.name = index.hex()
    return kept


def application_id_of(text: str) -> str:
    """Return the id that a request names. Raises INVALID_REQUEST for one that is none."""
    try:
        return str(UUID(text))
    except ValueError:
        refuse([FIELD_MALFORMED.at("application_id")])
        raise


def _status_message(status: ApplicationStatus) -> pb.SealApplicationStatus.ValueType:
    return pb.SealApplicationStatus.Value(f"SEAL_APPLICATION_STATUS_{status.name}")
