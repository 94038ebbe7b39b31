"""VerificationService over real gRPC and PostgreSQL: files in chunks, seals, three views, and what was taken away."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Fault
from chassis.rpc.channel import open_channel, service
from chassis.rpc.moments import stamp
from chassis.rpc.server import RpcServer
from services.seal.app.pdf_judge import PadesJudge
from services.seal.domain.register import SealStatus
from services.seal.rpc import VerificationServicer, add_verification_service
from services.seal.usecases.verify import MAX_FILE_BYTES, Verifier
from tests.integration.seal.doors import OWN, Doors, doors, keep_time
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import ofd_files, pack, suites, unpack
from tongban.seal.v1 import report_pb2, seal_pb2_grpc, use_pb2
from tongban.seal.v1 import seal_pb2 as pb

__all__ = ["doors"]
VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "eseal"
NAMES = [
    "container", "references", "digests", "signature", "certlist", "seal_signature", "seal_validity",
    "maker_chain", "signer_chain", "revocation", "timestamp", "seal_status", "coverage",
]  # fmt: skip
CHUNK = 100_000
PDF = {"format": use_pb2.DOCUMENT_FORMAT_PDF}
OPEN = {"mode": use_pb2.PROTECT_MODE_CONTINUE}


class Desk:
    """Asks VerificationService as a department does."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors

    async def open(self) -> None:
        world = self.doors.world
        self.server = RpcServer(self.doors.authority.identity(service("seal")), reflect=False)
        verifier = Verifier(world.unit, suites(), PadesJudge())
        self.server.register(add_verification_service, VerificationServicer(verifier, world.clock))
        port = await self.server.start("127.0.0.1:0")
        identity = self.doors.authority.identity(OWN)
        self.channel = open_channel(f"127.0.0.1:{port}", service("seal"), identity, limit_seconds=30)
        self.stub: Any = seal_pb2_grpc.VerificationServiceStub(self.channel.channel)

    async def file(self, content: bytes, as_of: datetime | None = None) -> pb.VerifyFileResponse:
        options = report_pb2.VerifyFileOptions(as_of=stamp(as_of) if as_of else None)

        async def requests() -> AsyncIterator[report_pb2.VerifyFileRequest]:
            yield report_pb2.VerifyFileRequest(options=options)
            for start in range(0, len(content), CHUNK):
                yield report_pb2.VerifyFileRequest(chunk=content[start : start + CHUNK])

        return await self.channel.upload(self.stub.VerifyFile, requests())

    async def document(self, content: bytes) -> pb.VerifyDocumentResponse:
        return await self.channel.call(self.stub.VerifyDocument, pb.VerifyDocumentRequest(document=content))

    async def seal(self, seal: bytes, **said: datetime) -> pb.VerifySealResponse:
        moments = {name: stamp(moment) for name, moment in said.items()}
        return await self.channel.call(
            self.stub.VerifySeal, report_pb2.VerifySealRequest(seal=seal, **moments)
        )


@pytest.fixture
async def desk(doors: Doors) -> AsyncIterator[Desk]:
    await doors.grant()
    made = Desk(doors)
    await made.open()
    yield made
    await made.channel.close()
    await made.server.drain(notice_seconds=0, grace_seconds=0.5)


def failed(report: pb.SignatureReport) -> dict[str, str]:
    return {each.name: each.reason for each in report.checks if each.result == "invalid"}


async def test_an_ofd_in_chunks_is_valid_with_all_that_a_reader_asks(desk: Desk):
    _, sealed = await desk.doors.seal()
    answer = await desk.file(sealed)
    assert (answer.verdict, answer.now_verdict, answer.format) == ("VALID", "VALID", "ofd"), answer
    assert answer.sha256 == hashlib.sha256(sealed).hexdigest()
    assert answer.as_of.ToDatetime() == desk.doors.world.clock().replace(tzinfo=None)
    (one,) = answer.signatures
    assert [each.name for each in one.checks] == NAMES
    assert [each.name for each in one.now_checks] == [
        "seal_validity", "signer_chain", "revocation", "seal_status",
    ]  # fmt: skip
    assert (one.seal_id, one.is_own, one.generation) == (desk.doors.seal_id, True, 4)
    assert one.signer
    assert one.proved_at.ToDatetime() >= one.signed_at.ToDatetime()
    (place,) = one.stamps
    assert (place.page, place.x_mm, place.y_mm, place.clipped) == (1, 130, 220, False)
    assert (one.coverage.pages, list(one.coverage.protected_pages), one.coverage.closed) == (1, [1], True)
    assert one.coverage.protected[0].kind == "page"
    assert {each.kind for each in one.coverage.unprotected} == {"signature"}
    same = await desk.document(sealed)
    assert (same.verdict, same.signatures) == (answer.verdict, answer.signatures)


async def test_a_pdf_is_judged_by_the_registers_credential(desk: Desk):
    _, sealed = await desk.doors.seal(plain_pdf(), **PDF)
    answer = await desk.file(sealed)
    assert (answer.verdict, answer.now_verdict, answer.format) == ("VALID", "VALID", "pdf"), answer
    (one,) = answer.signatures
    assert [each.name for each in one.checks] == NAMES
    assert (one.seal_id, one.is_own) == (desk.doors.seal_id, True)
    assert list(one.coverage.protected_pages) == list(range(1, one.coverage.pages + 1))
    assert (await desk.document(sealed)).verdict == "VALID"
    changed = sealed.replace(b"/Type /Page", b"/Type /Pagf", 1)
    assert changed != sealed
    assert (await desk.file(changed)).verdict == "INVALID"


async def test_a_seal_that_ended_since_leaves_the_document_valid_and_says_so(desk: Desk):
    world = desk.doors.world
    _, sealed = await desk.doors.seal()
    signed_at = world.clock()
    world.clock.at += timedelta(hours=1)
    await keep_time(world)
    await world.change(desk.doors.seal_id, SealStatus.CANCELLED, second_person="李四")
    world.clock.at += timedelta(hours=1)
    await world.make()
    answer = await desk.file(sealed)
    assert (answer.verdict, answer.now_verdict) == ("VALID", "INVALID"), answer
    (one,) = answer.signatures
    now = {each.name: each.reason for each in one.now_checks if each.result == "invalid"}
    assert now["seal_status"] == "SEAL_ENDED_SINCE"
    assert now["revocation"] == "REVOKED_SINCE", "the maker's job revoked the certificate of the ended seal"
    assert "签章人证书在签章后被吊销" in [note.zh for note in one.notes]
    then = await desk.file(sealed, as_of=signed_at + timedelta(minutes=10))
    assert (then.verdict, then.now_verdict) == ("VALID", "VALID"), "as of T nobody knew"


async def test_a_seal_added_later_cannot_be_taken_away_unnoticed(desk: Desk):
    world = desk.doors.world
    _, first = await desk.doors.seal(**OPEN)
    first_at = world.clock()
    assert (await desk.file(first)).verdict == "VALID"
    world.clock.at += timedelta(minutes=5)
    await keep_time(world)
    _, both = await desk.doors.seal(first, **OPEN)
    answer = await desk.file(both)
    assert (answer.verdict, len(answer.signatures)) == ("VALID", 2), answer
    repacked = pack(unpack(first))
    for without in (first, repacked):
        answer = await desk.file(without)
        assert answer.container.reason == "SIGNATURES_REMOVED", answer
        assert (answer.verdict, failed(answer.signatures[0])) == (
            "INVALID",
            {"container": "SIGNATURES_REMOVED"},
        )
    assert (await desk.file(first, as_of=first_at)).verdict == "VALID", "the second came later"


async def test_in_a_pdf_too_and_where_all_were_taken(desk: Desk):
    world = desk.doors.world
    document = plain_pdf()
    _, first = await desk.doors.seal(document, **PDF)
    world.clock.at += timedelta(minutes=5)
    await keep_time(world)
    _, both = await desk.doors.seal(first, **PDF)
    assert (await desk.file(both)).verdict == "VALID"
    for without in (first, document):
        answer = await desk.file(without)
        assert (answer.verdict, answer.container.reason) == ("INVALID", "SIGNATURES_REMOVED"), answer


async def test_a_document_nobody_signed_is_unsigned_and_other_content_is_refused(desk: Desk):
    files = {**ofd_files(), "Doc_0/extra.bin": b"x"}
    answer = await desk.file(pack(files))
    assert (answer.verdict, answer.now_verdict, list(answer.signatures)) == ("UNSIGNED", "UNSIGNED", [])
    assert (await desk.file(plain_pdf())).verdict == "UNSIGNED"
    for content, reason in (
        (b"\x89PNG", "FILE_KIND_UNKNOWN"),
        (b"", "INVALID_REQUEST"),
        (bytes(MAX_FILE_BYTES + 1), "BODY_TOO_LARGE"),
    ):
        with pytest.raises(Fault) as refused:
            await desk.file(content)
        assert refused.value.code == reason
    broken = await desk.file(b"PK\x03\x04 and no more")
    assert (broken.verdict, broken.container.reason) == ("INVALID", "PACKAGE")
    with pytest.raises(Fault, match="INVALID_REQUEST"):
        await desk.file(pack(files), as_of=desk.doors.world.clock() + timedelta(days=1))


async def test_the_caller_says_first_how_it_wants_it_judged(desk: Desk):
    async def chunk_first() -> AsyncIterator[report_pb2.VerifyFileRequest]:
        yield report_pb2.VerifyFileRequest(chunk=b"PK")

    with pytest.raises(Fault) as refused:
        await desk.channel.upload(desk.stub.VerifyFile, chunk_first())
    assert [each.field_path for each in refused.value.violations] == ["options"]


async def test_a_bare_seal_of_ours_is_valid_until_it_ends(desk: Desk):
    world = desk.doors.world
    async with world.unit() as work:
        material = await work.seals.material(desk.doors.seal_id)
    assert material is not None
    answer = await desk.seal(material.ses_seal)
    assert (answer.verdict, answer.seal_id, answer.generation) == ("VALID", desk.doors.seal_id, 4), answer
    assert answer.seal_name
    used_at = world.clock()
    world.clock.at += timedelta(minutes=5)
    await world.change(desk.doors.seal_id, SealStatus.SUSPENDED)
    world.clock.at += timedelta(minutes=5)
    assert (await desk.seal(material.ses_seal)).verdict == "INVALID"
    assert (await desk.seal(material.ses_seal, used_at=used_at)).verdict == "VALID"
    assert (await desk.seal(b"no seal")).checks[0].reason == "FORMAT"


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the placed vectors are not beside this checkout")
@pytest.mark.parametrize("name", ["allprotected.ofd", "V4RideRight.ofd"])
async def test_a_strangers_document_is_indeterminate_with_its_cryptography_valid(desk: Desk, name: str):
    answer = await desk.file((VECTORS / name).read_bytes())
    assert answer.verdict == "INDETERMINATE"
    (one,) = answer.signatures
    results = {each.name: each.result for each in one.checks}
    sound = ("container", "references", "digests", "signature", "certlist", "seal_signature", "coverage")
    assert {results[each] for each in sound} == {"valid"}, results
    assert (results["maker_chain"], results["signer_chain"]) == ("indeterminate", "indeterminate")
    assert (one.is_own, bool(one.signer)) == (False, True)
    assert list(one.coverage.protected_pages) == list(range(1, one.coverage.pages + 1))
