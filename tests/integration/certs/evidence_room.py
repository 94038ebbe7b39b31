"""What the tests of evidence ask with: cases, entrustments, duty codes, questions."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.auth import DocumentSigner
from events.intake import CaseClosed, CaseSubmitted, PartRef
from services.certs.rpc.evidence import EvidenceServicer
from tests.integration.certs.conftest import BUSINESS, INTAKE_KEY, MARKET, World
from tests.integration.certs.test_issuing import Issuing
from tongban.certs.v1 import evidence_pb2, presentation_pb2, use_code_pb2

ARTICLE = "《中华人民共和国食品安全法》第三十五条"


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


async def case_handed_in(
    world: World, case_id: str, *parts: tuple[str, str], closed: bool = False, of: str = ""
) -> None:
    """Tell of a case ``of`` a citizen with parts of (item, department), and of its end."""
    world.parties.of_case.setdefault(case_id, []).append(("111", of))
    issuing = Issuing(world)
    refs = [
        PartRef(
            part_id=f"{case_id}-{n}",
            item_code=item,
            item_name="事项",
            county_code="361103",
            department_code=department,
        )
        for n, (item, department) in enumerate(parts)
    ]
    await issuing.hear(
        CaseSubmitted(
            case_id=case_id,
            case_no="no-1",
            person_id="p1",
            title="开餐馆",
            county_code="361103",
            terminal_id=None,
            submitted_at=world.clock(),
            parts=refs,
        )
    )
    if closed:
        await issuing.hear(
            CaseClosed(
                case_id=case_id,
                case_no="no-1",
                person_id="p1",
                title="开餐馆",
                county_code="361103",
                approved_parts=1,
                rejected_parts=0,
                closed_at=world.clock(),
            )
        )


async def duty_code(world: World, licence_id: str, department: str = MARKET, **changed: object) -> str:
    fields = {
        "request_id": str(uuid.uuid4()),
        "licence_id": licence_id,
        "item_code": "item-1",
        "case_id": "case-1",
        "face_fields": ["KZ_MC"],
        "use_cause": "食品经营许可审查",
        "legal_article": ARTICLE,
        "expires_at": stamp(world.clock() + timedelta(days=1)),
        "max_uses": 1,
    }
    request = use_code_pb2.IssueDutyUseCodeRequest(**(fields | changed))
    with world.as_department(department):
        return str((await world.use_codes.IssueDutyUseCode(request, None)).use_code)


def entrustment(world: World, grantor: str, agent: str, **changed: object) -> str:
    """Return an entrustment as intake signs it."""
    now = int(world.clock().timestamp())
    claims = {
        "jti": f"entrustment-{uuid.uuid4()}",
        "grantor": {"t": "111", "n": grantor},
        "agent": {"t": "111", "n": agent},
        "types": [BUSINESS],
        "items": ["item-1"],
        "powers": ["present", "issue_use_code"],
        "nbf": now - 60,
        "exp": now + 86_400 * 10,
    } | changed
    return DocumentSigner(INTAKE_KEY).sign_document(claims, kind="entrustment")


async def entrusted(world: World, statement: str) -> str:
    request = use_code_pb2.RecordEntrustmentRequest(request_id=str(uuid.uuid4()), statement=statement)
    with world.as_intake():
        return str((await world.use_codes.RecordEntrustment(request, None)).entrustment_id)


async def offline(world: World, licence_id: str, holder: str, **changed: object):
    fields = {
        "request_id": str(uuid.uuid4()),
        "licence_id": licence_id,
        "holder_id_type_code": "111",
        "holder_id_number": holder,
    } | changed
    with world.as_intake():
        return await world.presentations.CreateOfflineStatement(
            presentation_pb2.CreateOfflineStatementRequest(**fields), None
        )


def evidence(world: World) -> EvidenceServicer:
    return EvidenceServicer(world.desk)


def covers(name: str, operator: str, *values: str) -> evidence_pb2.Predicate:
    return evidence_pb2.Predicate(
        covers=evidence_pb2.Covers(
            field=name,
            operator=evidence_pb2.PredicateOperator.Value(f"PREDICATE_OPERATOR_{operator}"),
            values=values,
        )
    )


def today(world: World) -> str:
    return (world.clock().astimezone(UTC) + timedelta(hours=8)).date().isoformat()
