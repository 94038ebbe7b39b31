"""The PDF of a licence: made after the issue, sealed, fetched, handed out; refused, asked for again, erased."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.row_codes import altered_rows
from events.seal import LicencePdfRefused, LicencePdfSealed
from services.certs.app.pdf import pdf_step
from services.certs.store.coded import LICENCE_PDF
from services.certs.usecases.life.retain import erase_fallen, remove_documents
from services.certs.usecases.make import SealedDocument
from tests.integration.certs.conftest import FIRE, MARKET, World, purpose
from tests.integration.certs.test_issuing import Issuing
from tests.integration.certs.test_use_codes import set_status
from tongban.certs.v1 import licence_pb2 as pb

MADE = "certs.LicencePdfMade.v1"
OWN = pb.BASIS_SHOWN_BY_HOLDER


class Room:
    """A registry whose PDFs a test moves on by hand; seal is stood in for."""

    def __init__(self, world: World) -> None:
        self.world, self.issuing = world, Issuing(world)
        desk = world.desk
        self.step = pdf_step(
            world.database, desk.registry_of, desk.documents, self.issuing.sealed, world.clock
        )

    async def issued(self, part_id: str = "part-1") -> str:
        licence_id = await self.issuing.approve(self.world.citizen(), part_id)
        await self.issuing.seal(licence_id)
        return licence_id

    async def unsealed(self, licence_id: str) -> bytes:
        request = pb.GetUnsealedDocumentRequest(licence_id=licence_id, format=pb.DOCUMENT_FORMAT_PDF)
        answer = await self.world.licences.GetUnsealedDocument(request, None)
        assert not answer.ofd
        return answer.pdf

    async def seal(self, licence_id: str, content: bytes = b"%PDF-1.7 sealed", verdict: str = "VALID") -> str:
        signature_id, digest = f"pdf-{licence_id}", hashlib.sha256(content).hexdigest()
        self.issuing.sealed.documents[signature_id] = SealedDocument(
            signature_id, content, digest, verdict, self.world.clock()
        )
        await self.issuing.hear(
            LicencePdfSealed(
                signature_id=signature_id, seal_id="seal-1", licence_id=licence_id, case_id="case-1",
                document_sha256=digest, sealed_at=self.world.clock(),
            )
        )  # fmt: skip
        return digest

    async def refuse(self, licence_id: str, reason: str = "SEAL_NOT_IN_USE") -> None:
        await self.issuing.hear(
            LicencePdfRefused(
                signature_id=f"pdf-{licence_id}", licence_id=licence_id, case_id="case-1", reason=reason,
                refused_at=self.world.clock(),
            )
        )  # fmt: skip

    async def sealed(self, part_id: str = "part-1") -> tuple[str, str]:
        licence_id = await self.issued(part_id)
        await self.step()
        digest = await self.seal(licence_id)
        await self.step()
        return licence_id, digest

    async def ask(self, licence_id: str, basis: int = OWN) -> pb.GetLicenceDocumentResponse:
        request = pb.GetLicenceDocumentRequest(
            licence_id=licence_id, purpose=purpose(basis, case_id="another"), format=pb.DOCUMENT_FORMAT_PDF
        )
        return await self.world.licences.GetLicenceDocument(request, None)

    async def holder_asks(self, licence_id: str) -> pb.GetLicenceDocumentResponse:
        with self.world.as_intake():
            return await self.ask(licence_id)

    async def refusal(self, licence_id: str) -> Fault:
        with pytest.raises(Fault) as refused:
            await self.holder_asks(licence_id)
        return refused.value

    async def row(self, licence_id: str):
        async with self.world.database.transaction() as tx:
            return await tx.fetchrow("select * from licence_pdf where licence_id = $1", uuid.UUID(licence_id))


@pytest.fixture
def room(world: World) -> Room:
    return Room(world)


async def test_a_licence_that_is_issued_gets_its_pdf_and_its_holder_and_issuer_may_have_it(room: Room):
    licence_id = await room.issued()
    assert (await room.refusal(licence_id)).code == "LICENCE_PDF_NOT_READY"
    assert await room.world.events(MADE) == []
    await room.step()
    (made,) = await room.world.events(MADE)
    unsealed = await room.unsealed(licence_id)
    assert unsealed.startswith(b"%PDF-1.7")
    assert hashlib.sha256(unsealed).hexdigest() == made["document_sha256"]
    assert (made["licence_id"], made["_version"]) == (licence_id, 1)
    digest = await room.seal(licence_id)
    assert (await room.refusal(licence_id)).code == "LICENCE_PDF_NOT_READY", "it is still at seal"
    await room.step()
    answer = await room.holder_asks(licence_id)
    assert (answer.pdf, answer.sha256) == (b"%PDF-1.7 sealed", digest)
    assert not answer.ofd
    assert not answer.is_annotated_copy
    with room.world.as_department(MARKET):
        assert (await room.ask(licence_id, pb.BASIS_STATUTORY_DUTY)).sha256 == digest
    assert await room.world.count("select count(*) from usage where kind = 'document'") == 2
    leaf = "select count(*) from log_queue where kind = 'document' and licence_id = $1"
    assert await room.world.count(leaf, uuid.UUID(licence_id)) == 1
    version = "select version from licence where licence_id = $1"
    assert await room.world.count(version, uuid.UUID(licence_id)) == 2, "the licence is as it was issued"


async def test_who_may_not_have_the_original_is_told_that_copies_are_ofd_only(room: Room):
    licence_id, _ = await room.sealed()
    with room.world.as_department(FIRE), pytest.raises(Fault) as refused:
        await room.ask(licence_id, pb.BASIS_STATUTORY_DUTY)
    assert refused.value.code == "LICENCE_PDF_FOR_ORIGINAL_ONLY"
    with room.world.as_department(FIRE), pytest.raises(Fault) as refused:
        await room.ask(licence_id, pb.BASIS_CONSENT)
    assert refused.value.code == "LICENCE_NOT_FOUND"
    request = pb.GetLicenceDocumentRequest(licence_id=licence_id, purpose=purpose(OWN), format=9)  # type: ignore[arg-type]
    with room.world.as_intake(), pytest.raises(Fault) as refused:
        await room.world.licences.GetLicenceDocument(request, None)
    assert refused.value.violations[0].field_path == "format"


@pytest.mark.parametrize("status", [pb.LICENCE_STATUS_SUSPENDED, pb.LICENCE_STATUS_CANCELLED])
async def test_no_pdf_is_handed_out_of_a_licence_that_is_not_in_force(room: Room, status: int):
    licence_id, _ = await room.sealed()
    await set_status(room.world, licence_id, status)
    assert (await room.refusal(licence_id)).code == "LICENCE_NOT_USABLE"
    refused = "select count(*) from usage where outcome = 'LICENCE_NOT_USABLE'"
    assert await room.world.count(refused) == 1


async def test_no_pdf_is_made_of_a_licence_that_fell_meanwhile_and_none_is_given_to_seal(room: Room):
    first, second = await room.issued("part-1"), await room.issued("part-2")
    await set_status(room.world, first, pb.LICENCE_STATUS_SUSPENDED)
    await room.step()
    assert (await room.row(first))["refusal"] == "LICENCE_NOT_USABLE"
    await set_status(room.world, second, pb.LICENCE_STATUS_SUSPENDED)
    with pytest.raises(Fault) as refused:
        await room.unsealed(second)
    assert refused.value.code == "LICENCE_NOT_USABLE"
    with pytest.raises(Fault) as refused:
        await room.unsealed(first)
    assert refused.value.code == "LICENCE_PDF_NOT_WAITING"


async def test_a_refusal_is_told_with_its_reason_and_tried_again_when_asked_for_later(room: Room):
    licence_id = await room.issued()
    await room.step()
    await room.refuse(licence_id)
    fault = await room.refusal(licence_id)
    assert (fault.code, fault.metadata["cause"]) == ("LICENCE_PDF_REFUSED", "SEAL_NOT_IN_USE")
    await room.step()
    assert len(await room.world.events(MADE)) == 1, "too early"
    room.world.clock.offset += timedelta(minutes=2)
    assert (await room.refusal(licence_id)).code == "LICENCE_PDF_NOT_READY"
    await room.step()
    first, second = await room.world.events(MADE)
    assert first["document_sha256"] == second["document_sha256"]
    assert second["_version"] == 2
    await room.seal(licence_id)
    await room.step()
    assert (await room.holder_asks(licence_id)).pdf


async def test_seal_is_told_again_of_a_pdf_that_nothing_is_heard_of(room: Room):
    licence_id = await room.issued()
    for minutes, told in ((0, 1), (0.5, 1), (0.6, 2), (1.5, 2), (0.6, 3)):
        room.world.clock.offset += timedelta(minutes=minutes)
        await room.step()
        assert len(await room.world.events(MADE)) == told
    await room.seal(licence_id)
    await room.step()
    await room.seal(licence_id)
    assert (await room.row(licence_id))["state"] == "sealed", "told twice changes nothing"


async def test_a_pdf_that_does_not_hold_or_is_another_is_not_kept(room: Room):
    licence_id = await room.issued()
    await room.step()
    await room.seal(licence_id, verdict="INVALID")
    await room.step()
    assert (await room.refusal(licence_id)).metadata["cause"] == "SEAL_DOES_NOT_HOLD"
    found = room.issuing.sealed.documents
    found[f"pdf-{licence_id}"] = replace(found[f"pdf-{licence_id}"], verdict="VALID", ofd=b"%PDF-1.7 other")
    room.world.clock.offset += timedelta(minutes=2)
    await room.refusal(licence_id)
    await room.step()
    assert (await room.refusal(licence_id)).metadata["cause"] == "DOCUMENT_DAMAGED"


async def test_an_outage_of_seal_keeps_no_other_pdf_from_being_made(room: Room, monkeypatch):
    waiting = await room.issued("part-1")
    await room.step()
    await room.seal(waiting)
    other = await room.issued("part-2")

    async def unavailable(_signature_id: str) -> SealedDocument:
        raise PEER_UNAVAILABLE(peer="seal")

    with monkeypatch.context() as patched:
        patched.setattr(room.issuing.sealed, "of_signature", unavailable)
        await room.step()
    assert (await room.row(other))["unsealed_sha256"]
    assert (await room.row(waiting))["state"] == "signed"
    room.world.clock.offset += timedelta(minutes=2)
    await room.step()
    assert (await room.row(waiting))["state"] == "sealed"


async def test_a_licence_of_before_gets_its_pdf_when_it_is_asked_for(room: Room):
    licence_id = await room.issued()
    async with room.world.database.transaction() as tx:
        await tx.execute("delete from licence_pdf")
    assert (await room.refusal(licence_id)).code == "LICENCE_PDF_NOT_READY"
    await room.step()
    assert len(await room.world.events(MADE)) == 1


async def test_a_licence_without_a_sealed_document_has_no_pdf(room: Room):
    imported = await room.world.stock_licence(room.world.citizen())
    assert (await room.refusal(imported)).code == "DOCUMENT_ABSENT"


async def test_the_erasure_of_a_licence_takes_its_pdf_with_it(room: Room):
    licence_id, digest = await room.sealed()
    row = await room.row(licence_id)
    kept = {path.name for path in room.world.documents_dir.rglob("*") if path.is_file()}
    assert {digest, row["unsealed_sha256"]} < kept
    await set_status(room.world, licence_id, pb.LICENCE_STATUS_CANCELLED)
    room.world.clock.offset += timedelta(days=31 * 365)
    desk = room.world.desk
    async with room.world.database.transaction() as tx:
        assert await erase_fallen(desk.registry_of(tx), desk.types, room.world.clock()) == 1
    async with room.world.database.transaction() as tx:
        assert await remove_documents(desk.registry_of(tx), desk.documents, room.world.clock()) == 1
    assert not [path for path in room.world.documents_dir.rglob("*") if path.is_file()]
    assert await room.row(licence_id) is None
    await room.seal(licence_id)
    assert await room.row(licence_id) is None, "what comes late is not kept"


async def test_a_row_that_was_altered_hands_out_no_file(room: Room):
    licence_id, _ = await room.sealed()
    async with room.world.database.transaction() as tx:
        await tx.execute("update licence_pdf set sealed_sha256 = unsealed_sha256")
    assert (await room.refusal(licence_id)).code == "ROW_ALTERED"
    cipher = room.world.desk.vault._cipher
    assert await altered_rows(room.world.database, cipher, LICENCE_PDF) == [(licence_id,)]
