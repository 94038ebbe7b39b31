"""Between the words of the proto and those of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from chassis.errors import FIELD_MALFORMED, Violation, refuse
from chassis.rpc.moments import stamp
from services.certs.domain.disclosure import Shown
from services.certs.domain.importing import ImportRow, Operation, Outcome, RowAnswer
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.status import LicenceStatus
from services.certs.domain.usage import Reader, ShownUse
from services.certs.domain.use_code import Grounds
from services.certs.usecases.use_codes import Agent
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import use_code_pb2

WireRows: TypeAlias = pb.ImportLicencesRequest
"""Rows as received, for those who only pass them on."""

_STATUS_NUMBERS = {
    status: pb.LicenceStatus.Value(f"LICENCE_STATUS_{status.name}") for status in LicenceStatus
}
_STATUSES: dict[int, LicenceStatus] = {number: status for status, number in _STATUS_NUMBERS.items()}
_BASIS_NUMBERS = {basis: pb.Basis.Value(f"BASIS_{basis.name}") for basis in Basis}
_BASES: dict[int, Basis] = {number: basis for basis, number in _BASIS_NUMBERS.items()}
_OPERATIONS = {
    pb.IMPORT_OPERATION_UNSPECIFIED: Operation.UPSERT,
    pb.IMPORT_OPERATION_INSERT: Operation.INSERT,
    pb.IMPORT_OPERATION_UPDATE: Operation.UPDATE,
    pb.IMPORT_OPERATION_CANCEL: Operation.CANCEL,
}
_OUTCOMES = {outcome: pb.ImportOutcome.Value(f"IMPORT_OUTCOME_{outcome.name}") for outcome in Outcome}


def purpose(message: pb.Purpose) -> Purpose:
    """Return the purpose of a read; an unspecified basis becomes None."""
    return Purpose(message.use_cause, _BASES.get(message.basis), message.item_code, message.case_id)


def status(number: int) -> LicenceStatus | None:
    """Return the status of an enum value, None for unspecified and unknown ones."""
    return _STATUSES.get(number)


def status_number(status: LicenceStatus) -> pb.LicenceStatus.ValueType:
    """Return the enum value of a status."""
    return _STATUS_NUMBERS[status]


def basis_number(basis: Basis | None) -> pb.Basis.ValueType:
    """Return the enum value of a basis, unspecified for none."""
    return _BASIS_NUMBERS[basis] if basis else pb.BASIS_UNSPECIFIED


def wants_pdf(number: int) -> bool:
    """Say whether a document is asked for as PDF; unspecified is OFD. Raises INVALID_REQUEST for any other form."""
    refuse([] if number in pb.DocumentFormat.values() else [FIELD_MALFORMED.at("format")])
    return number == pb.DOCUMENT_FORMAT_PDF


def licence(shown: Shown) -> pb.Licence:
    """Return a licence as its reader may see it."""
    return pb.Licence(**licence_fields(shown))


def licence_fields(shown: Shown) -> dict[str, Any]:
    """Return the fields of a licence's message: a licence as its reader may see it."""
    found = shown.licence
    return {
        "licence_id": found.licence_id,
        "identifier": shown.identifier,
        "type_code": found.type_code,
        "type_name": found.type_name,
        "number": shown.number,
        "issuer_code": found.issuer_code,
        "issuer_name": found.issuer_name,
        "county_code": found.county_code,
        "holder_name": shown.holder_name,
        "holder_id_type_code": found.holders[0].id_type_code,
        "issued_date": found.issued_date.isoformat(),
        "valid_from": found.valid_from.isoformat() if found.valid_from else "",
        "valid_until": found.valid_until.isoformat() if found.valid_until else "",
        "status": _STATUS_NUMBERS[found.status],
        "face": shown.face,
        "etag": found.etag,
        "trust_grade": found.trust_grade,
        "quality_flags": found.quality_flags,
        "version": found.serial_version,
    }


def agent(request: Any) -> Agent | None:
    """Return the agent that a request names, None where the holder acts himself."""
    person = (request.agent_id_type_code, request.agent_id_number)
    named = any((request.entrustment_id, *person))
    return Agent(request.entrustment_id, person) if named else None


def import_row(message: pb.ImportRow) -> ImportRow:
    """Return a row as received."""
    return ImportRow(message.row_number, message.fields, _OPERATIONS[message.operation])


def chunks(request: pb.ImportLicencesRequest, most_rows: int) -> Iterator[pb.ImportLicencesRequest]:
    """Yield a message in parts of so many rows: itself, where it has no more; nothing, where it has none."""
    if len(request.rows) <= most_rows:
        yield from (request,) if request.rows else ()
        return
    for start in range(0, len(request.rows), most_rows):
        yield pb.ImportLicencesRequest(
            batch_id=request.batch_id,
            rows=request.rows[start : start + most_rows],
            source_id=request.source_id,
        )


def pack_rows(rows: WireRows) -> bytes:
    """Return rows as received in the form in which another process takes them."""
    return rows.SerializeToString()


def import_rows(rows: WireRows) -> list[ImportRow]:
    """Return rows as received."""
    return [import_row(row) for row in rows.rows]


def unpack_rows(packed: bytes) -> list[ImportRow]:
    """Return the rows that ``pack_rows`` packed."""
    return import_rows(pb.ImportLicencesRequest.FromString(packed))


def names_no_operation(message: pb.ImportRow) -> bool:
    """Say whether a row asks for an operation that we do not know."""
    return message.operation not in _OPERATIONS


def row_result(answer: RowAnswer) -> pb.ImportRowResult:
    """Return the answer to a row."""
    return pb.ImportRowResult(
        row_number=answer.row_number,
        outcome=_OUTCOMES[answer.outcome],
        licence_id=answer.licence_id,
        quality_flags=answer.quality_flags,
        problems=[_problem(each) for each in answer.problems],
    )


def use(shown: ShownUse, reader: Reader) -> use_code_pb2.Use:
    """Return a line of the usage record for its holder."""
    usage = shown.usage
    basis = _BASIS_NUMBERS[usage.purpose.basis] if usage.purpose.basis else pb.BASIS_UNSPECIFIED
    return use_code_pb2.Use(
        usage_id=usage.usage_id,
        licence_id=usage.licence_id,
        licence_type_name=shown.licence_type_name,
        consumer_code=reader.code,
        consumer_name=reader.name,
        item_code=usage.purpose.item_code,
        case_id=usage.purpose.case_id,
        use_cause=usage.purpose.use_cause,
        basis=basis,
        used_at=stamp(usage.used_at),
        outcome=usage.outcome,
        kind=usage.kind,
        **_grounds(usage.grounds),
    )


def _grounds(grounds: Grounds | None) -> dict[str, Any]:
    if grounds is None:
        return {}
    return {
        "mode": str(grounds.mode),
        "consent_id": grounds.consent_id,
        "legal_article": grounds.legal_article,
        "entrustment_id": grounds.entrustment_id,
        "licence_version": grounds.licence_version,
    }


def _problem(problem: Violation) -> pb.RowProblem:
    return pb.RowProblem(field=problem.field_path, reason=problem.reason.code, zh=problem.zh, en=problem.en)
