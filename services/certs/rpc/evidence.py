"""EvidenceService over gRPC."""

from __future__ import annotations

from datetime import date, timedelta

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Violation, refuse
from chassis.paging import page_token, page_token_mistakes, read_page_token
from chassis.rpc.moments import moment_of, stamp
from services.certs.domain.evidence.predicate import REASONS, Covers, Operator, Predicate, ValidOn, Verdict
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.annotate import make_annotated_copy
from services.certs.usecases.answer import answer_predicate
from services.certs.usecases.entrusted_search import search_entrusted
from services.certs.usecases.search import Query, search
from tongban.certs.v1 import evidence_pb2 as pb
from tongban.certs.v1 import evidence_pb2_grpc

COPY_RETENTION = timedelta(minutes=10)
"""A copy is kept nowhere; for a repeat its answer is, as long as a repeat may come."""
_VERDICTS = {each: pb.PredicateVerdict.Value(f"PREDICATE_VERDICT_{each.name}") for each in Verdict}
_OPERATORS: dict[int, Operator] = {
    pb.PredicateOperator.Value(f"PREDICATE_OPERATOR_{each.name}"): each for each in Operator
}
_SEVERAL = ("符合条件的证照不止一份", "More than one licence matches")


class EvidenceServicer(evidence_pb2_grpc.EvidenceServiceServicer):
    """Searches, answers and copies; one transaction per call, the usage record in it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def SearchLicences(
        self, request: pb.SearchLicencesRequest, context: Context
    ) -> pb.SearchLicencesResponse:
        """Return a page of what matches and may be known of, masked; for an agent what is entrusted to him."""
        del context
        desk = self._desk
        refuse(page_token_mistakes(request.page_token))
        page = (request.page_size, read_page_token(request.page_token))
        agent = messages.agent(request)
        query, purpose = _query(request.query), messages.purpose(request.purpose)
        async with desk.database.transaction() as tx:
            asked = desk.registry_of(tx), desk.types, desk.signer, desk.reader(), query, purpose, page
            if agent is None:
                found = await search(*asked, new_id, desk.clock())
            else:
                found = await search_entrusted(*asked, agent, new_id, desk.clock())
        token = page_token(found.next_place) if found.next_place else ""
        return pb.SearchLicencesResponse(
            licences=[messages.licence(each) for each in found.licences], next_page_token=token
        )

    async def AnswerPredicate(
        self, request: pb.AnswerPredicateRequest, context: Context
    ) -> pb.AnswerPredicateResponse:
        """Say yes, no or unknown, signed."""
        del context
        desk = self._desk
        predicates = _predicates(request)
        async with desk.database.transaction() as tx:
            found = await answer_predicate(
                desk.registry_of(tx),
                desk.types,
                desk.signer,
                desk.reader(),
                _query(request.query),
                predicates,
                messages.purpose(request.purpose),
                new_id,
                desk.clock(),
            )
        zh, en = REASONS.get(found.answer.reason, _SEVERAL)
        return pb.AnswerPredicateResponse(
            verdict=_VERDICTS[found.answer.verdict],
            reason=found.answer.reason,
            reason_zh=zh,
            reason_en=en,
            licence_id=found.licence.licence_id if found.licence else "",
            licence_version=found.licence.version if found.licence else 0,
            as_of=stamp(found.as_of),
            statement=found.statement,
            salt=found.salt,
            usage_id=found.usage_id,
        )

    async def MakeAnnotatedCopy(
        self, request: pb.MakeAnnotatedCopyRequest, context: Context
    ) -> pb.MakeAnnotatedCopyResponse:
        """Make an annotated copy; a repeat of the request gets the same one."""
        del context
        desk = self._desk
        async with desk.database.transaction() as tx:

            async def work() -> pb.MakeAnnotatedCopyResponse:
                copy = await make_annotated_copy(
                    desk.registry_of(tx),
                    desk.types,
                    desk.reader(),
                    (request.licence_id, request.identifier),
                    messages.purpose(request.purpose),
                    moment_of(request, "expires_at"),
                    new_id,
                    desk.clock(),
                )
                return pb.MakeAnnotatedCopyResponse(
                    ofd=copy.ofd,
                    sha256=copy.sha256,
                    copy_id=copy.annotation.copy_id,
                    expires_at=stamp(copy.annotation.expires_at),
                    original_sha256=copy.annotation.original_sha256,
                )

            return await desk.once(tx, request, pb.MakeAnnotatedCopyResponse, work, COPY_RETENTION)


def _query(message: pb.LicenceQuery) -> Query:
    way = message.WhichOneof("by")
    if way == "holder":
        asked = message.holder
        person = (asked.holder_id_type_code, asked.holder_id_number)
        return Query(holder=person, type_codes=tuple(asked.type_codes))
    if way == "number":
        return Query(number=message.number.number, type_codes=tuple(message.number.type_codes))
    return Query(licence_id=message.licence_id, identifier=message.identifier, qr_text=message.qr_text)


def _predicates(request: pb.AnswerPredicateRequest) -> list[Predicate]:
    found: list[Predicate] = []
    wrong: list[Violation] = []
    for index, each in enumerate(request.predicates):
        at = f"predicates[{index}]"
        kind = each.WhichOneof("kind")
        if kind is None:
            wrong.append(FIELD_REQUIRED.at(at))
        elif kind == "covers":
            operator = _OPERATORS.get(each.covers.operator)
            if operator is None:
                wrong.append(FIELD_REQUIRED.at(f"{at}.covers.operator"))
            else:
                found.append(Covers(each.covers.field, operator, tuple(each.covers.values)))
        else:
            try:
                found.append(ValidOn(date.fromisoformat(each.valid_on)))
            except ValueError:
                wrong.append(FIELD_MALFORMED.at(f"{at}.valid_on"))
    refuse(wrong)
    return found
