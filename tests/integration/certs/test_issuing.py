"""From an approval to a licence in force, with intake and seal standing in as ports."""

from __future__ import annotations

import hashlib
import uuid
import zipfile
from datetime import UTC, datetime
from io import BytesIO

import pytest

from chassis.errors import Fault
from chassis.event import Envelope, Event, new_event_id
from events.intake import CaseClosed, CaseWithdrawn, PartDecided
from events.seal import DocumentSealed, SealingRefused
from services.certs.consumers import Hearing, handlers
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData
from services.certs.usecases.make import SealedDocument
from tests.integration.certs.conftest import MARKET, World, purpose
from tongban.certs.v1 import licence_pb2 as pb

FOOD = "11100000MB0143028R901"


class Approvals:
    def __init__(self, data: dict[str, IssueData]) -> None:
        self.data = data

    async def of_part(self, part_id: str) -> IssueData:
        return self.data[part_id]


class Sealed:
    def __init__(self) -> None:
        self.documents: dict[str, SealedDocument] = {}

    async def of_signature(self, signature_id: str) -> SealedDocument:
        return self.documents[signature_id]


class Issuing:
    """Feeds events to the handlers as the consumer does."""

    def __init__(self, world: World) -> None:
        self.world, self.approvals, self.sealed = world, Approvals({}), Sealed()
        desk = world.desk
        hearing = Hearing(
            desk.registry_of, desk.documents, desk.types, self.approvals, self.sealed, world.clock
        )
        self.handlers = {each.event: each for each in handlers(hearing)}

    async def hear(self, event: Event) -> None:
        handler = self.handlers[type(event)]
        prepared = await handler.prepare(event) if handler.prepare else None
        envelope = Envelope(
            new_event_id(), event.TYPE, "//tongban/x", event.aggregate_id, 1, datetime.now(UTC)
        )
        async with self.world.database.transaction() as tx:
            await handler.apply(tx, event, envelope, prepared)

    async def approve(self, holder: str, part_id: str = "part-1", **changed: object) -> str:
        fields = {
            "case_id": "case-1",
            "part_id": part_id,
            "item_code": "item-1",
            "type_code": FOOD,
            "county_code": "361103",
            "issuer_code": MARKET,
            "issuer_name": "上饶市广丰区市场监督管理局",
            "holder": Holder("111", holder, "丰小玉"),
            "face": {
                "KZ_JYZMC": "丰小玉餐饮店",
                "KZ_JYCS": "广丰区永丰街道一号",
                "KZ_ZTYT": "餐饮服务经营者",
            },
            "validity_years": 5,
            "decided_at": self.world.clock(),
        } | changed
        self.approvals.data[part_id] = IssueData(**fields)  # type: ignore[arg-type]
        await self.hear(decided(part_id))
        async with self.world.database.transaction() as tx:
            return str(await tx.fetchval("select licence_id from licence where part_id = $1", part_id))

    async def seal(self, licence_id: str, verdict: str = "VALID", announced: str | None = None) -> str:
        signature_id, content = f"sig-{licence_id}", f"sealed {licence_id}".encode()
        digest = hashlib.sha256(content).hexdigest()
        self.sealed.documents[signature_id] = SealedDocument(
            signature_id, content, digest, verdict, self.world.clock()
        )
        await self.hear(
            DocumentSealed(
                signature_id=signature_id,
                seal_id="seal-1",
                licence_id=licence_id,
                case_id="case-1",
                document_sha256=announced or digest,
                sealed_at=self.world.clock(),
            )
        )
        return digest


def decided(part_id: str, *, approved: bool = True) -> PartDecided:
    return PartDecided(
        case_id="case-1",
        case_no="no-1",
        part_id=part_id,
        person_id="p1",
        item_code="item-1",
        item_name="食品经营许可",
        county_code="361103",
        department_code=MARKET,
        approved=approved,
        licence_type_code=FOOD,
        signatures=2,
        decided_at=datetime.now(UTC),
    )


async def read(world: World, licence_id: str) -> pb.Licence:
    with world.as_department():
        request = pb.GetLicenceRequest(licence_id=licence_id, purpose=purpose())
        return (await world.licences.GetLicence(request, None)).licence


async def test_an_approval_becomes_a_licence_that_waits_for_its_seal_and_then_is_in_force(world: World):
    issuing, holder = Issuing(world), world.citizen()
    licence_id = await issuing.approve(holder)
    (made,) = await world.events("certs.LicenceMade.v1")
    assert made["part_id"] == "part-1"
    assert (await read(world, licence_id)).status == pb.LICENCE_STATUS_PENDING_SEAL
    unsealed = await world.licences.GetUnsealedDocument(
        pb.GetUnsealedDocumentRequest(licence_id=licence_id), None
    )
    assert hashlib.sha256(unsealed.ofd).hexdigest() == made["document_sha256"]
    assert "OFD.xml" in zipfile.ZipFile(BytesIO(unsealed.ofd)).namelist()
    assert 0 < unsealed.seal_x_mm < 297 - 42
    assert 0 < unsealed.seal_y_mm < 210 - 42
    digest = await issuing.seal(licence_id)
    found = await read(world, licence_id)
    assert found.status == pb.LICENCE_STATUS_VALID
    assert found.version == 1
    (issued,) = await world.events("certs.LicenceIssued.v1")
    assert (issued["document_sha256"], issued["_version"]) == (digest, 2)
    with world.as_intake():
        document = await world.licences.GetLicenceDocument(
            pb.GetLicenceDocumentRequest(licence_id=licence_id, purpose=purpose()), None
        )
    assert hashlib.sha256(document.ofd).hexdigest() == document.sha256 == digest


async def test_the_same_events_again_make_nothing_twice(world: World):
    issuing, holder = Issuing(world), world.citizen()
    licence_id = await issuing.approve(holder)
    assert await issuing.approve(holder) == licence_id
    await issuing.seal(licence_id)
    await issuing.seal(licence_id)
    assert await world.count("select count(*) from licence") == 1
    assert len(await world.events("certs.LicenceIssued.v1")) == 1


async def test_serials_are_counted_per_issuer_type_and_year(world: World):
    issuing = Issuing(world)
    ids = [await issuing.approve(world.citizen(), f"part-{n}") for n in range(3)]
    year = world.clock().year
    numbers = [(await read(world, each)).identifier.split(".")[7] for each in ids]
    assert numbers == [f"{year}{n:07d}" for n in (1, 2, 3)]


async def test_a_rejected_part_makes_no_licence(world: World):
    await Issuing(world).hear(decided("part-1", approved=False))
    assert await world.count("select count(*) from licence") == 0


async def test_a_sealed_document_other_than_the_announced_one_is_refused(world: World):
    issuing = Issuing(world)
    licence_id = await issuing.approve(world.citizen())
    with pytest.raises(Fault) as refused:
        await issuing.seal(licence_id, announced="0" * 64)
    assert refused.value.code == "DOCUMENT_DAMAGED"
    with pytest.raises(Fault) as unverified:
        await issuing.seal(licence_id, verdict="INVALID")
    assert unverified.value.code == "SEAL_DOES_NOT_HOLD"
    assert (await read(world, licence_id)).status == pb.LICENCE_STATUS_PENDING_SEAL


async def test_a_refused_seal_is_noted_and_a_later_seal_still_puts_the_licence_in_force(world: World):
    issuing = Issuing(world)
    licence_id = await issuing.approve(world.citizen())
    await issuing.hear(
        SealingRefused(
            signature_id="s",
            licence_id=licence_id,
            case_id="case-1",
            reason="SEAL_SUSPENDED",
            refused_at=world.clock(),
        )
    )
    noted = "select count(*) from licence where seal_refusal = 'SEAL_SUSPENDED'"
    assert await world.count(noted) == 1
    await issuing.seal(licence_id)
    assert await world.count(noted) == 0
    assert (await read(world, licence_id)).status == pb.LICENCE_STATUS_VALID


async def test_a_licence_cancelled_before_its_seal_stays_cancelled(world: World):
    from tests.integration.certs.test_use_codes import set_status

    issuing = Issuing(world)
    licence_id = await issuing.approve(world.citizen())
    await set_status(world, licence_id, pb.LICENCE_STATUS_CANCELLED)
    await issuing.seal(licence_id)
    assert (await read(world, licence_id)).status == pb.LICENCE_STATUS_CANCELLED
    with pytest.raises(Fault) as refused:
        await world.licences.GetUnsealedDocument(pb.GetUnsealedDocumentRequest(licence_id=licence_id), None)
    assert refused.value.code == "LICENCE_NOT_PENDING_SEAL"


async def test_data_that_no_strict_identifier_can_be_made_of_is_refused(world: World):
    issuing = Issuing(world)
    with pytest.raises(Fault):
        await issuing.approve(world.citizen(), issuer_code="361103")
    with pytest.raises(Fault) as incomplete:
        await issuing.approve("361103198001010000", str(uuid.uuid4()), issuer_name="")
    assert {each.field_path for each in incomplete.value.violations} == {"holder_id_number", "issuer_name"}
    assert await world.count("select count(*) from licence") == 0


@pytest.mark.parametrize("ending", ["withdrawn", "closed"])
async def test_what_is_left_of_a_cases_use_codes_ends_with_the_case(world: World, ending: str):
    from tests.integration.certs.test_use_codes import consume, issued, reason_of

    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    code = await issued(world, licence_id, holder)
    other = await issued(world, licence_id, holder, case_id="case-2")
    common = {"case_id": "case-1", "case_no": "no-1", "person_id": "p1"}
    event = (
        CaseWithdrawn(**common, withdrawn_at=world.clock())
        if ending == "withdrawn"
        else CaseClosed(
            **common,
            title="t",
            county_code="361103",
            approved_parts=1,
            rejected_parts=0,
            closed_at=world.clock(),
        )
    )
    for _ in range(2):
        await Issuing(world).hear(event)
    assert await reason_of(consume(world, code)) == "USE_CODE_REVOKED"
    assert (await consume(world, other, case_id="case-2")).usage_id
