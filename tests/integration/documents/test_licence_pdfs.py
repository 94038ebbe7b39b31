"""From an approval to a licence whose PDF carries the seal of its OFD: both services, their events carried by hand."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from chassis.clock import system_clock
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.event import Envelope, Event, new_event_id
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.keyring import new_keyring, parse_keyring
from cli.operations.reconciling.seals import SealPlaces, reconcile_seals
from events.certs import LicenceMade, LicencePdfMade
from events.seal import DocumentSealed, LicencePdfRefused, LicencePdfSealed
from services.certs.app.pdf import pdf_step
from services.certs.usecases.make import SealedDocument
from services.seal.app import verify_offline
from services.seal.app.documents import StoredDocuments
from services.seal.app.pdf_press import PadesPress
from services.seal.clients.timestamps import RfcTimestamper, StampingPlace
from services.seal.consumers import handlers
from services.seal.domain.certificates import read_certificate
from services.seal.domain.ledger import pdf_signature_id_of, signature_id_of
from services.seal.domain.pki import CompanionPki, DevelopmentPki, certify
from services.seal.domain.register import SealStatus
from services.seal.domain.stamping_keys import TIME_STAMPER
from services.seal.domain.timestamps import TimestampTrust
from services.seal.pdf import examine
from services.seal.usecases.companions import Companions
from services.seal.usecases.ledger_time import stamp_ledger
from services.seal.usecases.make_seals import issue_lists
from services.seal.usecases.ports import UnsealedDocument
from services.seal.usecases.read_register import check_ledger
from services.seal.usecases.retry_refused import retry_refused
from tests.integration.certs.conftest import World, purpose
from tests.integration.certs.test_issuing import Issuing
from tests.integration.seal.conftest import FIELD_KEYS, GUANGFENG, NOW, SealWorld
from tests.integration.seal.test_register import trust_files
from tests.stacks.needs import unavailable
from tests.unit.seal.sealing_room import sm2, suites
from tests.unit.seal.stamping_room import open_stamper, p256, stamper
from tongban.certs.v1 import licence_pb2 as pb


@dataclass
class AsCerts:
    """Certs as seal asks it; can be down for PDFs."""

    world: World
    down: bool = False

    async def unsealed(self, licence_id: str) -> UnsealedDocument:
        answer = await self._ask(pb.GetUnsealedDocumentRequest(licence_id=licence_id))
        return UnsealedDocument(
            answer.ofd, answer.issuer_code, answer.case_id, answer.seal_x_mm, answer.seal_y_mm
        )

    async def unsealed_pdf(self, licence_id: str) -> UnsealedDocument:
        if self.down:
            raise PEER_UNAVAILABLE(peer="certs")
        wanted = pb.DOCUMENT_FORMAT_PDF
        answer = await self._ask(pb.GetUnsealedDocumentRequest(licence_id=licence_id, format=wanted))
        return UnsealedDocument(
            answer.pdf, answer.issuer_code, answer.case_id, answer.seal_x_mm, answer.seal_y_mm
        )

    async def _ask(self, request: pb.GetUnsealedDocumentRequest) -> Any:
        return await self.world.licences.GetUnsealedDocument(request, None)


@dataclass
class AsSeal:
    """Seal as certs asks it."""

    seal: SealWorld

    async def of_signature(self, signature_id: str) -> SealedDocument:
        async with self.seal.unit() as work:
            found = await work.ledger.document(signature_id)
        assert found is not None
        report = await self.seal.verify(found.ofd)
        return SealedDocument(signature_id, found.ofd, found.sha256, report.verdict.value, self.seal.clock())


@dataclass
class House:
    """Both services; `carry` takes every event to who handles it."""

    world: World
    seal: SealWorld
    heard: set[Any] = field(default_factory=set)

    async def open(self) -> None:
        await self.tick(timedelta())
        stamper = self._stamper()
        self.seal.cabinet.companions = Companions(PadesPress(p256()), self.seal.signer, stamper)
        await self.seal.make()
        self.as_certs = AsCerts(self.world)
        self.issuing = Issuing(self.world)
        self.issuing.sealed.of_signature = AsSeal(self.seal).of_signature  # type: ignore[method-assign]
        made = handlers(self.seal.unit, self.seal.unit.work, self.seal.cabinet, self.as_certs)
        self.at_seal = {each.event: each for each in made}
        desk = self.world.desk
        self.step = pdf_step(
            self.world.database, desk.registry_of, desk.documents, self.issuing.sealed, self.world.clock
        )
        await self.tick()

    @property
    def pkis(self) -> tuple[DevelopmentPki, CompanionPki]:
        """Of seals, and of what PDFs are sealed with."""
        assert self.seal.workshop.companion is not None
        return self.seal.workshop.pki, self.seal.workshop.companion.pki

    def _stamper(self) -> RfcTimestamper:
        """Have time stamps for PDF made under the CA of their signatures, as the maker's job has it."""
        pki, second = self.pkis
        ca = second.signer_ca
        start = read_certificate(ca.certificate).not_before
        key = certify(p256(), ca, "通办时间戳", TIME_STAMPER, start, start + timedelta(days=2_000))
        authority = self.seal.stamping.authority
        authority.use([open_stamper(sm2(), stamper(sm2(), pki)), open_stamper(p256(), key)])
        anchors = [*map(read_certificate, (*pki.anchors, second.root.certificate))]
        between = [*map(read_certificate, (*pki.intermediates, ca.certificate))]
        trust = TimestampTrust(suites(), anchors, between)
        places = [StampingPlace("here", self.seal.stamping)]
        return RfcTimestamper(p256(), places, lambda _anew: trust, self.seal.clock)

    async def tick(self, by: timedelta = timedelta(minutes=10)) -> None:
        """Move both clocks on, seal's from its own beginning, and have what the ledger holds stamped."""
        self.seal.clock.at += by
        self.world.clock.offset = self.seal.clock.at - system_clock()
        await stamp_ledger(self.seal.unit, self.seal.timekeeping.timestamper, sm2().digest)

    async def carry(self) -> None:
        """Have every event heard, and what follows from it."""
        for _ in range(4):
            for event in await self._fresh(self.world.database, (LicenceMade, LicencePdfMade)):
                await self._to_seal(event)
            kinds = (DocumentSealed, LicencePdfSealed, LicencePdfRefused)
            for event in await self._fresh(self.seal.database, kinds):
                await self.issuing.hear(event)
            await self.step()

    async def _fresh(self, database: Any, kinds: tuple[type[Event], ...]) -> list[Event]:
        async with database.transaction() as tx:
            rows = await tx.fetch("select event_id, type, payload from event_log order by seq")
        known = {each.TYPE: each for each in kinds}
        found = [row for row in rows if row["event_id"] not in self.heard and row["type"] in known]
        self.heard |= {row["event_id"] for row in found}
        return [known[row["type"]](**json.loads(row["payload"])) for row in found]

    async def _to_seal(self, event: Event) -> None:
        handler = self.at_seal[type(event)]
        envelope = Envelope(
            new_event_id(), event.TYPE, "//tongban/certs", event.aggregate_id, 1, self.seal.clock()
        )
        prepared = await handler.prepare(event)
        async with self.seal.database.transaction() as tx:
            await handler.apply(tx, event, envelope, prepared)

    async def fetch(self, licence_id: str, form: int = pb.DOCUMENT_FORMAT_PDF) -> bytes:
        request = pb.GetLicenceDocumentRequest(
            licence_id=licence_id, purpose=purpose(pb.BASIS_SHOWN_BY_HOLDER), format=form
        )
        with self.world.as_intake():
            answer = await self.world.licences.GetLicenceDocument(request, None)
        return answer.pdf or answer.ofd

    async def outcomes(self) -> list[tuple[str, str | None]]:
        rows = await self.seal.rows("select outcome, licence_id from seal_use order by sequence")
        return [(row["outcome"], row["licence_id"]) for row in rows]


@pytest.fixture
async def house(world: World, seal_world: SealWorld) -> House:
    made = House(world, seal_world)
    await made.open()
    return made


async def issued(house: House, part_id: str = "part-1") -> str:
    return await house.issuing.approve(house.world.citizen(), part_id)


async def test_a_licence_has_its_sealed_pdf_which_is_valid_to_us_to_pyhanko_and_to_poppler(
    house: House, tmp_path: Path
):
    licence_id = await issued(house)
    await house.carry()
    ofd, pdf = await house.fetch(licence_id, pb.DOCUMENT_FORMAT_OFD), await house.fetch(licence_id)
    ours = [await house.seal.verify(each) for each in (ofd, pdf)]
    assert [each.verdict.value for each in ours] == ["VALID", "VALID"], [
        (each.name.value, each.result.value, each.reason, each.detail)
        for each in ours[1].signatures[0].checks
        if each.result.value != "valid"
    ]
    first, second = (each.signatures[0] for each in ours)
    assert first.seal_id == second.seal_id == (await house.seal.seal_of(GUANGFENG)).seal_id
    assert second.is_own
    assert second.proved_at is not None, "with the time of its token"
    assert await house.outcomes() == [("sealed", licence_id), ("sealed", None)]
    async with house.seal.unit() as work:
        assert await check_ledger(work, sm2().digest) is None
    _, second = house.pkis
    roots, others = ([x509.Certificate.load(each.certificate)] for each in (second.root, second.signer_ca))
    context = ValidationContext(trust_roots=roots, other_certs=others, moment=house.seal.clock())
    signature = PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0]
    status = await async_validate_pdf_signature(signature, context, context)
    assert status.bottom_line
    assert status.timestamp_validity is not None
    if shutil.which("pdfsig") is None:
        unavailable("pdfsig (poppler-utils) is not installed")
    path = tmp_path / "licence.pdf"
    path.write_bytes(pdf)
    command = ["pdfsig", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)})
    assert "Signature is Valid" in told.stdout
    assert "Total document signed" in told.stdout


async def test_a_licences_pdf_verifies_offline_by_the_state_of_its_seal_when_it_was_sealed(
    house: House, tmp_path: Path
):
    licence_id = await issued(house)
    await house.carry()
    pdf = await house.fetch(licence_id)
    await _anew(house)
    found = verify_offline(pdf, await trust_files(house.seal, tmp_path / "trust"), house.seal.clock())
    assert (found["verdict"], found["now_verdict"], found["companion_list"]) == ("VALID", "VALID", "current")
    seal = await house.seal.seal_of(GUANGFENG)
    for status, second_person in ((SealStatus.SUSPENDED, ""), (SealStatus.CANCELLED, "李四")):
        await house.tick()
        await house.seal.change(seal.seal_id, status, second_person=second_person)
        await _anew(house)
        offline = verify_offline(pdf, await trust_files(house.seal, tmp_path / "trust"), house.seal.clock())
        online = await house.seal.verify(pdf)
        verdicts = (offline["verdict"], offline["now_verdict"])
        assert verdicts == (online.verdict.value, online.now_verdict.value) == ("VALID", "INVALID"), offline


async def test_a_pdf_sealed_while_its_seal_was_suspended_is_invalid_offline_too(house: House, tmp_path: Path):
    licence_id = await issued(house)
    house.seal.clock.at += timedelta(minutes=5)
    await house.carry()
    pdf = await house.fetch(licence_id)
    seal = await house.seal.seal_of(GUANGFENG)
    house.seal.clock.at -= timedelta(minutes=5)  # as if the suspension had come first
    await house.seal.change(seal.seal_id, SealStatus.SUSPENDED)
    house.seal.clock.at += timedelta(minutes=10)
    await _anew(house)
    offline = verify_offline(pdf, await trust_files(house.seal, tmp_path / "trust"), house.seal.clock())
    assert (offline["verdict"], (await house.seal.verify(pdf)).verdict.value) == ("INVALID", "INVALID")
    (state,) = (each for each in offline["signatures"][0]["checks"] if each["name"] == "seal_status")
    assert state["reason"] == "SEAL_NOT_ACTIVE"


async def _anew(house: House) -> None:
    """Have the lists issued again, as the maker's job does."""
    house.seal.clock.at += timedelta(minutes=1)
    await issue_lists(house.seal.maker_unit, house.seal.workshop, house.seal.clock())


async def test_the_pdf_is_the_unsealed_one_with_the_seal_added(house: House):
    licence_id = await issued(house)
    await house.carry()
    pdf = await house.fetch(licence_id)
    async with house.world.database.transaction() as tx:
        digest = await tx.fetchval("select unsealed_sha256 from licence_pdf")
    unsealed = await house.world.desk.documents.get(digest)
    assert pdf.startswith(unsealed)
    assert hashlib.sha256(unsealed).hexdigest() == digest
    facts = examine(pdf)
    assert (facts.problem, len(facts.signatures), bool(facts.crls)) == ("", 1, True)


async def test_an_altered_pdf_is_invalid(house: House):
    licence_id = await issued(house)
    await house.carry()
    pdf = bytearray(await house.fetch(licence_id))
    at = pdf.index(b"/MediaBox")
    pdf[at + 12] ^= 1
    assert (await house.seal.verify(bytes(pdf))).verdict.value == "INVALID"


async def test_a_suspended_seal_refuses_the_pdf_and_the_licence_is_in_force_all_the_same(house: House):
    licence_id = await issued(house)
    made = await house._fresh(house.world.database, (LicenceMade,))
    for event in made:
        await house._to_seal(event)
    seal = await house.seal.seal_of(GUANGFENG)
    await house.seal.change(seal.seal_id, SealStatus.SUSPENDED)
    await house.carry()
    assert await house.outcomes() == [("sealed", licence_id), ("SEAL_NOT_IN_USE", None)]
    with pytest.raises(Fault) as refused:
        await house.fetch(licence_id)
    assert (refused.value.code, refused.value.metadata["cause"]) == ("LICENCE_PDF_REFUSED", "SEAL_NOT_IN_USE")
    assert await house.fetch(licence_id, pb.DOCUMENT_FORMAT_OFD)
    retried = retry_refused(house.seal.unit, house.seal.cabinet, house.as_certs, house.seal.clock)
    assert await retried == 0, "that is for licences; a PDF is asked for again"
    await house.seal.change(seal.seal_id, SealStatus.ACTIVE, second_person="李四")
    await house.tick()
    with pytest.raises(Fault) as refused:
        await house.fetch(licence_id)
    assert refused.value.code == "LICENCE_PDF_NOT_READY"
    await house.carry()
    assert (await house.seal.verify(await house.fetch(licence_id))).verdict.value == "VALID"


async def test_the_pdf_of_a_licence_whose_ofd_is_not_sealed_is_refused(house: House):
    event = LicencePdfMade(
        licence_id="0195d0f2-0000-7000-8000-000000000009", issuer_code=GUANGFENG.code, case_id="case-1",
        item_code="item-1", document_sha256="0" * 64, made_at=house.seal.clock(),
    )  # fmt: skip
    await house._to_seal(event)
    assert await house.outcomes() == [("LICENCE_NOT_FOUND", None)], "certs has none"

    async def some(_licence_id: str) -> UnsealedDocument:
        return UnsealedDocument(b"%PDF-1.7", GUANGFENG.code, "case-1", 1.0, 1.0)

    house.as_certs.unsealed_pdf = some  # type: ignore[method-assign]
    await house._to_seal(event)
    assert (await house.outcomes())[-1] == ("LICENCE_OFD_NOT_SEALED", None)


async def test_an_outage_leaves_nothing_and_the_pdf_is_told_of_again(house: House):
    house.as_certs.down = True
    licence_id = await issued(house)
    await house.carry()
    assert await house.outcomes() == [("sealed", licence_id)]
    house.as_certs.down = False
    await house.tick()
    await house.step()
    house.seal.stamping.down = True
    await house.carry()
    assert await house.outcomes() == [("sealed", licence_id)], "no time stamp, no signature, no row"
    house.seal.stamping.down = False
    await house.tick()
    await house.carry()
    assert await house.outcomes() == [("sealed", licence_id), ("sealed", None)]
    assert await house.fetch(licence_id)


async def test_the_same_event_again_seals_nothing_twice(house: House):
    licence_id = await issued(house)
    await house.carry()
    house.heard.clear()
    await house.carry()
    assert await house.outcomes() == [("sealed", licence_id), ("sealed", None)]
    ids = {signature_id_of(licence_id), pdf_signature_id_of(licence_id)}
    rows = await house.seal.rows("select signature_id::text from sealed_document")
    assert {row["signature_id"] for row in rows} == ids


async def test_ledger_and_documents_agree_pdfs_counted_and_a_pdf_that_differs_is_named(
    house: House, tmp_path: Path
):
    keyring = new_keyring(NOW)
    (tmp_path / "certs").write_text(keyring)
    (tmp_path / "seal").write_text(FIELD_KEYS)
    files = DirectoryStore(tmp_path / "kept", FieldCipher(parse_keyring(keyring), service="certs"))
    ids = [await issued(house, f"part-{number}") for number in range(2)]
    await house.carry()
    for licence_id in ids:
        for form in (pb.DOCUMENT_FORMAT_OFD, pb.DOCUMENT_FORMAT_PDF):
            await files.put(await house.fetch(licence_id, form))
    seal = await asyncpg.connect(house.seal.dsn)
    own, licences = StoredDocuments(tmp_path / "seal"), StoredDocuments(tmp_path / "certs", "certs")
    later = house.seal.clock() + timedelta(seconds=1)
    async with house.world.database.connection() as certs:
        places = SealPlaces(seal, certs, own.digests, licences.digests, files.stored)
        report = await reconcile_seals(places, later)
        assert report.discrepancies == []
        assert (report.rows, report.documents, report.licences, report.pdfs) == (4, 4, 2, 2)
        await certs.execute("update licence_pdf set signature_id = $1", pdf_signature_id_of(ids[0]))
        found = {each.kind: each.named for each in (await reconcile_seals(places, later)).discrepancies}
        assert found["ROW_OF_OTHER_LICENCE"] == ids[1]
        await certs.execute("delete from licence_pdf")
        assert (await reconcile_seals(places, later)).discrepancies == [], (
            "certs may have lost it and asks again"
        )
    await seal.close()
