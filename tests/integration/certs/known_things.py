"""What the matrix of knowledge asks about: a licence in each state, one that there is not, and how each RPC names it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.certs.domain.department import Departments
from standards.identifiers import build_licence_identifier
from tests.integration.certs.conftest import BUSINESS, MARKET, World, purpose
from tests.integration.certs.evidence_room import ARTICLE, stamp
from tests.integration.certs.life_desk import Desk as LifeDesk
from tests.integration.certs.recourse import GROUNDS, Recourse, Said
from tests.integration.certs.test_issuing import Issuing
from tests.integration.certs.test_use_codes import issue_request, set_status
from tongban.certs.v1 import dispute_pb2 as dispute
from tongban.certs.v1 import evidence_pb2 as evidence
from tongban.certs.v1 import federation_pb2 as federation
from tongban.certs.v1 import holder_pb2, presentation_pb2, reliance_pb2, source_pb2, standing_pb2
from tongban.certs.v1 import licence_life_pb2 as life
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import transparency_pb2 as log
from tongban.certs.v1 import use_code_pb2 as codes


@dataclass(frozen=True)
class Thing:
    """A licence as somebody may name it, there or not."""

    licence_id: str
    identifier: str
    number: str
    holder: str
    type_code: str = BUSINESS
    issuer: str = MARKET
    dispute_id: str = ""
    order_id: str = ""


def nothing(world: World, like: Thing) -> Thing:
    """A licence that there is not, named as alike as can be."""
    absent = str(uuid.uuid4())
    return Thing(
        absent,
        like.identifier[:-1] + ("0" if like.identifier[-1:] != "0" else "1"),
        "20269999999999",
        world.citizen(),
        like.type_code,
        like.issuer,
        str(uuid.uuid4()),
        str(uuid.uuid4()),
    )


async def described(world: World, licence_id: str, holder: str, **more: str) -> Thing:
    async with world.database.transaction() as tx:
        held = await world.desk.registry_of(tx).licences.get(licence_id)
    assert held is not None
    return Thing(licence_id, held.identifier, held.number, holder, held.type_code, held.issuer_code, **more)


async def published(world: World) -> Thing:
    holder = world.citizen()
    return await described(world, await world.stock_licence(holder), holder)


async def pending_seal(world: World) -> Thing:
    holder = world.citizen()
    return await described(world, await Issuing(world).approve(holder), holder)


async def erased(world: World) -> Thing:
    thing = await published(world)
    await set_status(world, thing.licence_id, pb.LICENCE_STATUS_CANCELLED)
    world.clock.offset += timedelta(days=31 * 365)
    await LifeDesk(world).sweep()
    assert await world.count("select count(*) from licence_erasure") == 1
    return thing


async def frozen(world: World) -> Thing:
    thing = await published(world)
    recourse = Recourse(world, Said())
    opened = await recourse.freeze(await recourse.open(thing.licence_id, thing.holder))
    return await described(world, thing.licence_id, thing.holder, dispute_id=opened.dispute_id)


async def other_county(world: World) -> Thing:
    departments: Departments = world.desk.departments
    listed = departments._listed.values()
    issuer = next(each for each in listed if each.county_code not in {"361103", ""})
    holder = world.citizen()
    serial = f"2026{next(world.numbers):06d}"
    identifier = build_licence_identifier(BUSINESS, issuer.code, serial)
    row = world.row(holder, ZZBFJGDM=issuer.code, ZZBFJG=issuer.name, ZZBH=serial, ZZBS=identifier)
    with world.as_department(issuer.code):
        (stored,) = await world.import_rows(row)
    assert stored.licence_id, stored
    return await described(world, stored.licence_id, holder)


STATES: dict[str, Callable[[World], Awaitable[Thing]]] = {
    each.__name__: each for each in (published, pending_seal, erased, frozen, other_county)
}

DUTY, CONSENT = pb.BASIS_STATUTORY_DUTY, pb.BASIS_CONSENT
Build = Callable[[World, Thing, str], Any]
"""A request about a thing; the text is the person whom intake acts for, where it acts for one."""


def anew() -> str:
    return str(uuid.uuid4())


def _person(holder: str) -> dict[str, str]:
    return {"holder_id_type_code": "111", "holder_id_number": holder}


def _query(**by: Any) -> evidence.LicenceQuery:
    return evidence.LicenceQuery(**by)


def _search(by: Callable[[Thing], dict[str, Any]]) -> Build:
    return lambda _w, t, _p: evidence.SearchLicencesRequest(query=_query(**by(t)), purpose=purpose())


def _answer(by: Callable[[Thing], dict[str, Any]]) -> Build:
    asked = [evidence.Predicate(valid_on="2025-01-01")]
    return lambda _w, t, _p: evidence.AnswerPredicateRequest(
        query=_query(**by(t)), predicates=asked, purpose=purpose()
    )


WAYS: dict[str, Callable[[Thing], dict[str, Any]]] = {
    "licence_id": lambda t: {"licence_id": t.licence_id},
    "identifier": lambda t: {"identifier": t.identifier},
    "holder": lambda t: {"holder": evidence.HolderQuery(**_person(t.holder))},
    "number": lambda t: {"number": evidence.NumberQuery(number=t.number)},
}
DECISION = life.Decision(reason="监督检查", basis_document="饶广市监决字〔2026〕7号", operator="36110301Z1")

BY_PURPOSE: dict[str, dict[str, Build]] = {
    "LicenceService/FindLicences": {
        "": lambda _w, t, _p: pb.FindLicencesRequest(**_person(t.holder), purpose=purpose())
    },
    "LicenceService/GetLicence": {
        "licence_id": lambda _w, t, _p: pb.GetLicenceRequest(licence_id=t.licence_id, purpose=purpose()),
        "identifier": lambda _w, t, _p: pb.GetLicenceRequest(identifier=t.identifier, purpose=purpose()),
    },
    "LicenceService/GetLicenceDocument": {
        "": lambda _w, t, _p: pb.GetLicenceDocumentRequest(licence_id=t.licence_id, purpose=purpose())
    },
    "LicenceLifeService/GetLicencePreview": {
        "": lambda _w, t, _p: life.GetLicencePreviewRequest(licence_id=t.licence_id, purpose=purpose())
    },
    "EvidenceService/SearchLicences": {name: _search(by) for name, by in WAYS.items()},
    "EvidenceService/AnswerPredicate": {name: _answer(by) for name, by in WAYS.items()},
    "EvidenceService/MakeAnnotatedCopy": {
        "licence_id": lambda _w, t, _p: evidence.MakeAnnotatedCopyRequest(
            request_id=anew(), licence_id=t.licence_id, purpose=purpose()
        ),
        "identifier": lambda _w, t, _p: evidence.MakeAnnotatedCopyRequest(
            request_id=anew(), identifier=t.identifier, purpose=purpose()
        ),
    },
    "StandingService/GetStatusAt": {
        "licence_id": lambda _w, t, _p: standing_pb2.GetStatusAtRequest(
            licence_id=t.licence_id, purpose=purpose()
        ),
        "identifier": lambda _w, t, _p: standing_pb2.GetStatusAtRequest(
            identifier=t.identifier, purpose=purpose()
        ),
    },
    "FederationService/FindShared": {
        "": lambda _w, t, _p: federation.FindSharedRequest(**_person(t.holder), purpose=purpose())
    },
}
"""Reads for a purpose: a department that has no duty may not know, nor one with a duty what is not in force yet."""

BY_HOLDER: dict[str, Build] = {
    "PresentationService/CreatePresentation": lambda _w, t, p: presentation_pb2.CreatePresentationRequest(
        request_id=anew(), licence_id=t.licence_id, **_person(p)
    ),
    "PresentationService/CreateOfflineStatement": (
        lambda _w, t, p: presentation_pb2.CreateOfflineStatementRequest(
            request_id=anew(), licence_id=t.licence_id, **_person(p)
        )
    ),
    "UseCodeService/IssueUseCode": lambda w, t, p: issue_request(w, t.licence_id, p),
    "DisputeService/OpenDispute": lambda _w, t, p: dispute.OpenDisputeRequest(
        request_id=anew(),
        licence_id=t.licence_id,
        kind=dispute.DISPUTE_KIND_CONTENT,
        statement="有误",
        **_person(p),
    ),
    "DisputeService/WithdrawDispute": lambda _w, t, p: dispute.WithdrawDisputeRequest(
        request_id=anew(), dispute_id=t.dispute_id or anew(), etag='"1"', **_person(p)
    ),
    "HolderService/ListHolderUses": lambda _w, t, p: holder_pb2.ListHolderUsesRequest(
        licence_id=t.licence_id, **_person(p)
    ),
    "HolderService/ExportHolderUses": lambda _w, t, p: holder_pb2.ExportHolderUsesRequest(
        licence_id=t.licence_id, **_person(p)
    ),
    "DisputeService/ListHolderDisputes": lambda _w, _t, p: dispute.ListHolderDisputesRequest(**_person(p)),
    "UseCodeService/ListUses": lambda _w, _t, p: codes.ListUsesRequest(**_person(p)),
}
"""What intake asks for a person: one who is not the holder may not know."""


def _handled(kind: Any, **more: Any) -> Build:
    return lambda _w, t, _p: kind(request_id=anew(), dispute_id=t.dispute_id or anew(), etag='"1"', **more)


def _decided(kind: Any, **more: Any) -> Build:
    return lambda _w, t, _p: kind(
        request_id=anew(), licence_id=t.licence_id, etag='"1"', decision=DECISION, **more
    )


BY_ISSUER: dict[str, Build] = {
    "LicenceService/ChangeLicenceStatus": lambda _w, t, _p: pb.ChangeLicenceStatusRequest(
        request_id=anew(),
        licence_id=t.licence_id,
        etag='"1"',
        status=pb.LICENCE_STATUS_SUSPENDED,
        reason="核查",
        basis_document="饶市监〔2026〕1号",
        operator="李四",
    ),
    "LicenceLifeService/OrderLicenceAct": _decided(life.OrderLicenceActRequest, act=life.LICENCE_ACT_CANCEL),
    "LicenceLifeService/ChangeLicence": _decided(life.ChangeLicenceRequest, face={"KZ_MC": "新店"}),
    "LicenceLifeService/RenewLicence": _decided(life.RenewLicenceRequest, years=1),
    "LicenceLifeService/MakeLicenceCopy": _decided(life.MakeLicenceCopyRequest),
    "LicenceLifeService/RecordInspection": _decided(
        life.RecordInspectionRequest, result=life.INSPECTION_STATE_PASSED
    ),
    "LicenceLifeService/WithdrawLicenceOrder": lambda _w, t, _p: life.WithdrawLicenceOrderRequest(
        request_id=anew(), order_id=t.order_id or anew(), reason="有误"
    ),
    "LicenceLifeService/ListLicenceOrders": lambda _w, t, _p: life.ListLicenceOrdersRequest(
        licence_id=t.licence_id
    ),
    "LicenceLifeService/ListInspections": lambda _w, _t, _p: life.ListInspectionsRequest(),
    "RelianceService/CountReliances": lambda _w, t, _p: reliance_pb2.CountReliancesRequest(
        licence_id=t.licence_id
    ),
    "RelianceService/ListFallenReliances": lambda _w, _t, _p: reliance_pb2.ListFallenReliancesRequest(),
    "RelianceService/AcknowledgeReliance": lambda _w, t, _p: reliance_pb2.AcknowledgeRelianceRequest(
        request_id=anew(), flag_id=t.licence_id, etag='"1"', outcome=1, operator="李四", reason="已核"
    ),
    "DisputeService/ListDisputes": lambda _w, t, _p: dispute.ListDisputesRequest(licence_id=t.licence_id),
    "DisputeService/GetDispute": lambda _w, t, _p: dispute.GetDisputeRequest(
        dispute_id=t.dispute_id or anew()
    ),
    "DisputeService/StartDisputeCheck": _handled(dispute.StartDisputeCheckRequest, operator="李四"),
    "DisputeService/DecideDispute": _handled(dispute.DecideDisputeRequest, grounds=GROUNDS),
    "DisputeService/FreezeLicenceUse": _handled(dispute.FreezeLicenceUseRequest, grounds=GROUNDS),
    "DisputeService/UnfreezeLicenceUse": _handled(dispute.UnfreezeLicenceUseRequest, grounds=GROUNDS),
    "SourceService/ListSources": lambda _w, _t, _p: source_pb2.ListSourcesRequest(),
    "SourceService/ListImportConflicts": lambda _w, _t, _p: source_pb2.ListImportConflictsRequest(),
    "SourceService/ReconcileSource": lambda _w, t, _p: source_pb2.ReconcileSourceRequest(
        type_code=t.type_code, first_day="2024-01-01", last_day="2024-12-31"
    ),
    "TransparencyService/GetInclusionProof": lambda _w, t, _p: log.GetInclusionProofRequest(
        newest_of_licence_id=t.licence_id
    ),
    "UseCodeService/IssueDutyUseCode": lambda w, t, _p: codes.IssueDutyUseCodeRequest(
        request_id=anew(),
        licence_id=t.licence_id,
        item_code="item-1",
        case_id="case-1",
        face_fields=["KZ_MC"],
        use_cause="食品经营许可审查",
        legal_article=ARTICLE,
        expires_at=stamp(w.clock() + timedelta(days=1)),
        max_uses=1,
    ),
}
"""What is a department's own: another department may not know, whatever its duty, of what is no licence's content."""

KNOWN_BY_DUTY = frozenset({"UseCodeService/IssueDutyUseCode"})
"""Of these the duty of another department is ground enough, as soon as the licence is in force."""

OPEN: dict[str, str] = {
    "ConfirmationService/ConfirmFace": "intake alone, with a purpose; yes or no",
    "LicenceService/GetUnsealedDocument": "seal alone, of what waits for a seal",
    "LicenceImportService/ImportLicences": "an answer for each row of the sender's own",
    "LicenceTypeService/PublishLicenceTypes": "no licence: types",
    "LicenceTypeService/ListLicenceTypes": "no licence: types",
    "LicenceTypeService/GetLicenceType": "no licence: types",
    "PresentationService/VerifyPresentation": "whoever is shown the code may know, once",
    "PresentationService/GetPresentationKeys": "no licence: public keys",
    "UseCodeService/ConsumeUseCode": "whoever was given the code may know",
    "UseCodeService/RecordEntrustment": "no licence: what intake signed",
    "UseCodeService/RevokeEntrustment": "no licence: entrustments",
    "UseCodeService/RevokeUseCodes": "no licence: codes of a case, intake alone",
    "SourceService/RegisterSource": "no licence: operators register sources",
    "SourceService/ResolveImportConflict": "a conflict of the owner's, or of nobody's: test_sources",
    "TransparencyService/GetCheckpoint": "no licence: the tree's root",
    "TransparencyService/GetConsistencyProof": "no licence: hashes",
    "TransparencyService/ListLeaves": "operators alone: the auditor's",
    "TransparencyService/ListCheckpoints": "operators alone: the auditor's",
    "FederationService/AskShared": "registries alone: the row of the peer below",
    "FederationService/GetReplicaSince": "registries alone: test_federation",
    "FederationService/TellUses": "registries alone: the row of the peer below",
    "FederationService/ListReplicas": "operators alone: figures",
    "FederationService/RestartReplica": "operators alone",
}
"""What tells of no licence, or has its own rule; each with the reason why it needs no row."""
