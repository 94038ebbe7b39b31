"""SealDocument and SealBatch: what goes through the door, what does not, and what the ledger has of it."""

from __future__ import annotations

import asyncio
import hashlib
import io
from datetime import timedelta

import asyncpg
import pikepdf
import pytest

from chassis.errors import Fault, Kind
from services.seal.domain.ledger import UseEntry, link, signature_id_of
from services.seal.pdf import examine
from services.seal.pdf.cms import read_message
from tests.integration.seal.conftest import GUANGFENG, UNSEALED
from tests.integration.seal.doors import (
    OTHER,
    SHA256,
    Doors,
    approve,
    doors,
    keep_time,
    ledger_holds,
    new_id,
    refusal,
)
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import ofd_files, pack, sm2
from tongban.seal.v1 import use_pb2

__all__ = ["doors"]


async def test_an_upload_that_says_too_little_or_too_much_is_refused_before_anything_is_recorded(
    doors: Doors,
):
    await doors.grant()
    nan = use_pb2.Placement(at=use_pb2.Placement.At(page=1, x_mm=float("nan")))
    fault = await refusal(doors.seal(placements=[nan, use_pb2.Placement()], document_type=0, mode=9))
    assert {each.field_path for each in fault.violations} == {
        "task.document_type",
        "task.mode",
        "task.placements[0].at.x_mm",
        "task.placements[1]",
    }
    fault = await refusal(doors.seal(document_type=use_pb2.DOCUMENT_TYPE_LICENCE, placements=[]))
    assert {each.field_path for each in fault.violations} == {"task.document_type", "task.placements"}
    for changed in ({"request_id": "x"}, {"service_item": "a\0b"}, {"document": b""}):
        assert (await refusal(doors.seal(**changed))).code == "INVALID_REQUEST", changed
    assert (await refusal(doors.seal(document=bytes(21 * 1024 * 1024)))).code == "BODY_TOO_LARGE"
    assert await doors.outcomes() == []
    assert (await refusal(doors.seal(document=b"no OFD"))).code == "OFD_REFUSED"
    assert await doors.outcomes() == ["OFD_REFUSED"]


async def test_several_seals_riding_and_keyword_placements_go_through_the_door(doors: Doors):
    await doors.grant()
    placements = [
        use_pb2.Placement(every_page=use_pb2.Placement.EveryPage(x_mm=20, y_mm=20)),
        use_pb2.Placement(riding=use_pb2.Placement.Riding(offset_mm=100)),
    ]
    open_ = use_pb2.PROTECT_MODE_CONTINUE
    _, first = await doors.seal(pack(ofd_files(3)), placements=placements, mode=open_)
    _, closed = await doors.seal(first)
    report = await doors.world.verify(closed)
    assert (report.verdict.value, len(report.signatures)) == ("VALID", 2)
    assert (await refusal(doors.seal(closed))).code == "OFD_ALREADY_SEALED"
    missing = use_pb2.Placement(keyword=use_pb2.Placement.Keyword(keyword="没有这个词"))
    fault = await refusal(doors.seal(placements=[missing]))
    assert [each.reason.code for each in fault.violations] == ["KEYWORD_NOT_FOUND"]


async def test_a_pdf_is_sealed_with_the_companion_credential_and_recorded(doors: Doors):
    world, pdf = doors.world, use_pb2.DOCUMENT_FORMAT_PDF
    await doors.grant()
    request_id, document = new_id(), plain_pdf()
    signature, sealed = await doors.seal(document, request_id=request_id, format=pdf)
    assert sealed.startswith(b"%PDF-")
    assert await doors.seal(document, request_id=request_id, format=pdf) == (signature, sealed)
    for level in (use_pb2.PDF_LEVEL_B_T, use_pb2.PDF_LEVEL_B_LT):
        _, sealed = await doors.seal(sealed, format=pdf, level=level)
    facts = examine(sealed)
    assert (facts.problem, len(facts.signatures), bool(facts.crls)) == ("", 3, True)
    messages = [read_message(each.contents) for each in facts.signatures]
    assert [bool(each.token) for each in messages] == [False, True, True]
    (use, *_) = await doors.uses()
    assert (use.detail.format, use.detail.mode) == (pdf, use_pb2.PROTECT_MODE_CONTINUE)
    recorded = await world.rows("select signature_sm3 from seal_use order by sequence")
    assert [row["signature_sm3"] for row in recorded] == [
        hashlib.sha256(each.signature).hexdigest() for each in messages
    ]
    keyword = use_pb2.Placement(keyword=use_pb2.Placement.Keyword(keyword="盖章", occurrence=1))
    whole = use_pb2.PROTECT_MODE_WHOLE
    fault = await refusal(doors.seal(document, format=pdf, placements=[keyword]))
    assert [each.reason.code for each in fault.violations] == ["PLACEMENT_NOT_FOR_PDF"]
    fault = await refusal(doors.seal(document, format=pdf, mode=whole))
    assert [each.field_path for each in fault.violations] == ["task.mode"]
    assert (await refusal(doors.seal(UNSEALED, format=pdf))).code == "PDF_MALFORMED"
    assert (await doors.outcomes())[-1] == "PDF_MALFORMED"


async def test_a_pdf_takes_the_seal_on_every_page_and_across_their_edges(doors: Doors):
    pdf, kind = use_pb2.DOCUMENT_FORMAT_PDF, use_pb2.Placement
    await doors.grant()
    every = kind(every_page=kind.EveryPage(x_mm=20, y_mm=30))
    riding = kind(riding=kind.Riding(offset_mm=100))
    document = plain_pdf(3)
    _, sealed = await doors.seal(document, format=pdf, placements=[every, riding])
    with pikepdf.open(io.BytesIO(sealed)) as opened:
        shown = [[each.Rect for each in page.Annots] for page in opened.pages]
    assert [len(each) for each in shown] == [2, 2, 2]
    widths = [[round(float(box[2] - box[0]) / 72 * 25.4) for box in page] for page in shown]
    assert widths == [[42, 14]] * 3, "a whole seal, and a third of one at the edge"
    assert all(abs(float(page[1][2]) - 595.276) < 0.1 for page in shown)
    (fault,) = [await refusal(doors.seal(plain_pdf(), format=pdf, placements=[riding]))]
    assert fault.code == "RIDING_SEAL_IMPOSSIBLE"
    fault = await refusal(doors.seal(sealed, format=pdf, placements=[riding]))
    assert fault.code == "PDF_ONE_STAMP_ONLY"
    outside = kind(every_page=kind.EveryPage(x_mm=200, y_mm=30))
    fault = await refusal(doors.seal(document, format=pdf, placements=[every, outside]))
    assert [each.reason.code for each in fault.violations] == ["STAMP_OUTSIDE_PAGE"]
    answers = await doors.batch([("a", document), ("b", plain_pdf())], format=pdf, placements=[riding])
    assert {each.item_id: each.WhichOneof("result") for each in answers} == {"a": "sealed", "b": "refused"}


async def test_a_failed_item_never_fails_the_batch_and_a_repetition_goes_on(doors: Doors):
    await doors.grant()
    documents = [(f"item-{number}", UNSEALED) for number in range(30)]
    documents[7] = ("item-7", b"broken")
    documents[11] = ("", UNSEALED)
    request_id = new_id()
    answers = await doors.batch(documents[:20], request_id=request_id)
    by_item = {each.item_id: each for each in answers}
    assert len(answers) == 20
    refused = {name for name, each in by_item.items() if each.HasField("refused")}
    assert refused == {"item-7", ""}
    assert (answers[-1].progress.sealed, answers[-1].progress.refused) == (18, 2)
    again = {each.item_id: each for each in await doors.batch(documents, request_id=request_id)}
    assert len(again) == 30
    for name in by_item.keys() - refused:
        assert again[name].sealed == by_item[name].sealed
    outcomes = await doors.outcomes()
    assert (outcomes.count("sealed"), outcomes.count("OFD_REFUSED")) == (28, 2)
    report = await doors.world.verify(again["item-29"].sealed.document)
    assert report.verdict.value == "VALID"
    assert await ledger_holds(doors.world)


async def test_a_batch_without_a_grant_refuses_each_item_with_its_reason(doors: Doors):
    answers = await doors.batch([("a", UNSEALED), ("b", UNSEALED)], peer=OTHER)
    assert {each.item_id for each in answers} == {"a", "b"}
    assert {each.refused.message for each in answers} == {"No grant allows this use of the seal"}


async def test_an_outage_while_signing_leaves_no_row_and_the_same_request_succeeds_afterwards(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
):
    from services.seal.usecases import stamping
    from services.seal.usecases.signing import SIGNER_UNAVAILABLE

    await doors.grant()
    request_ids, real, calls = [new_id() for _ in range(100)], stamping.seal_ofd, iter(range(10_000))

    def failing(*values, **named):
        if next(calls) % 3 != 0:
            raise SIGNER_UNAVAILABLE(why="killed")
        return real(*values, **named)

    monkeypatch.setattr(stamping, "seal_ofd", failing)
    done: dict[str, bytes] = {}
    while len(done) < len(request_ids):
        left = [each for each in request_ids if each not in done]
        answers = await asyncio.gather(
            *(doors.seal(request_id=each) for each in left), return_exceptions=True
        )
        for request_id, answer in zip(left, answers, strict=True):
            if isinstance(answer, Fault):
                assert answer.kind is Kind.UNAVAILABLE
            else:
                assert not isinstance(answer, BaseException), answer
                done[request_id] = answer[1]
    assert await doors.outcomes() == ["sealed"] * len(request_ids)
    assert len(set(done.values())) == len(request_ids)
    assert await ledger_holds(doors.world)


@pytest.mark.promise("P10")
async def test_no_row_no_signature_for_documents_that_are_no_licences_either(doors: Doors):
    await doors.grant()
    await doors.world.rows(
        """create function full_up() returns trigger language plpgsql as $$
           begin raise exception 'quota' using errcode = 'disk_full'; end $$"""
    )
    for table in ("seal_use", "seal_use_detail"):
        await doors.world.rows(
            f"create trigger full_up before insert on {table} for each row execute function full_up()"
        )
        fault = await refusal(doors.seal())
        assert (fault.code, fault.kind) == ("AUDIT_UNWRITABLE", Kind.UNAVAILABLE)
        fault = await refusal(doors.seal(peer=OTHER))
        assert fault.code == "AUDIT_UNWRITABLE", "not even a refusal leaves unrecorded"
        await doors.world.rows(f"drop trigger full_up on {table}")
    assert await doors.world.rows("select 1 from sealed_document") == []
    await doors.seal()


async def test_rows_of_the_release_before_stay_in_the_chain_and_count_against_the_day(doors: Doors):
    world = doors.world
    for number in range(3):
        entry = UseEntry(
            signature_id_of(f"old-{number}"), doors.seal_id, f"old-{number}", "case-1", GUANGFENG.code, "sealed",
            SHA256, "1", str(number), world.clock.at - timedelta(days=1 - bool(number)),
        )  # fmt: skip
        async with world.unit() as work:
            await work.ledger.append(link(await work.ledger.head(lock=True), entry, sm2().digest))
    assert await world.rows("select 1 from seal_use_detail") == []
    await keep_time(world)
    await doors.grant()
    await doors.rules(daily_limit=3)
    await doors.seal()
    assert (await refusal(doors.seal())).code == "SEAL_LIMIT_REACHED"
    assert [use.detail.day_uses for use in await doors.uses()] == [0, 3, 0, 0, 0]
    assert [use.HasField("detail") for use in await doors.uses()] == [True, True, False, False, False]
    assert await ledger_holds(world)


@pytest.mark.parametrize(
    "change",
    [
        "update seal_use_detail set account = 'department/x'",
        "update seal_use_detail set day_uses = 0",
        "update seal_grant set service_item = ''",
        "update seal_grant set grantee = '11361123TB20000214'",
        "update seal_grant_withdrawal set seal_id = seal_id, reason = 'x'",
        "update seal_rule set daily_limit = 0",
        "update seal_approval set approver = '王六'",
    ],
)
async def test_an_altered_row_of_a_decision_or_a_use_is_told_when_it_is_read(doors: Doors, change: str):
    world = doors.world
    gone = await doors.grant(OTHER)
    await doors.call(
        "WithdrawSealGrant",
        use_pb2.WithdrawSealGrantRequest(
            seal_id=doors.seal_id, grant_id=gone.grant_id, operator="张三", reason="误授"
        ),
    )
    await doors.grant()
    await doors.rules(quorum=1, daily_limit=5)
    await approve(doors, "王五")
    await doors.seal()
    world.clock.at += timedelta(minutes=1)
    await approve(doors, "王五")
    table = change.split()[1]
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await world.rows(change)
    async with world.database.transaction() as tx:
        await tx.execute(f"alter table {table} disable trigger all")
        await tx.execute(change)
        await tx.execute(f"alter table {table} enable trigger all")
    before = await doors.outcomes()
    assert (await refusal(doors.seal())).code == "ROW_ALTERED"
    assert await doors.outcomes() == before
