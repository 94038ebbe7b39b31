"""What must hold when many do the same at once."""

from __future__ import annotations

import asyncio
import hashlib
import uuid

import pytest

from chassis.errors import ETAG_MISMATCH, Fault
from chassis.requests import EncryptedAnswers, fingerprint, once
from services.intake.usecases.cases import deciding, submitting, watching

PARALLEL = 50


async def submit_once(intake, case_id: str, key: str, content: bytes) -> bytes:
    """Submit as the HTTP door does: under the client's key, with the answer stored beside the effect."""
    async with intake.works() as work:

        async def effect() -> bytes:
            receipt = await submitting.submit(work, intake.sign, intake.actor, case_id)
            return receipt.signed.encode()

        return await once(
            work.tx,
            caller=f"web|person/{intake.actor.person_id}",
            method="POST /v1/cases/{id}/submit",
            request_id=key,
            fingerprint=fingerprint(content),
            work=effect,
        )


@pytest.mark.promise("P6")
async def test_fifty_equal_submissions_make_one_case_and_fifty_equal_answers(intake) -> None:
    case, key = await intake.ready(), str(uuid.uuid4())
    answers = await asyncio.gather(
        *(submit_once(intake, case.case_id, key, case.case_id.encode()) for _ in range(PARALLEL))
    )
    assert len(set(answers)) == 1
    assert [name for name, _, _ in await intake.events()] == ["intake.CaseSubmitted.v1"]
    async with intake.works() as work:
        assert await work.tx.fetchval("select count(*) from service_case where case_no is not null") == 1
        changes = await work.tx.fetchval("select count(*) from part_change")
    assert changes == len(case.parts)
    with pytest.raises(Fault) as refusal:
        await submit_once(intake, case.case_id, key, b"other content")
    assert refusal.value.code == "REQUEST_ID_REUSED"
    with pytest.raises(Fault) as refusal:
        await submit_once(intake, case.case_id, str(uuid.uuid4()), case.case_id.encode())
    assert refusal.value.code == "CASE_ALREADY_SUBMITTED"


async def test_fifty_submissions_under_different_keys_make_one_case(intake) -> None:
    case = await intake.ready()
    results = await asyncio.gather(
        *(submit_once(intake, case.case_id, str(uuid.uuid4()), b"") for _ in range(PARALLEL)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, bytes) for each in results) == 1
    refused = [each for each in results if isinstance(each, Fault)]
    assert {each.code for each in refused} == {"CASE_ALREADY_SUBMITTED"}
    assert len(refused) == PARALLEL - 1


async def test_two_signatures_at_once_with_one_etag_leave_one(intake) -> None:
    case = await intake.submitted()
    part = next(each for each in case.parts if each.signatures_required == 2)
    await intake.accept(part.part_id)
    commands = [await intake.command(part.part_id, position) for position in (1, 2)]

    async def sign(command: deciding.PartCommand) -> None:
        async with intake.works() as work:
            await deciding.decide_part(work, intake.catalogue, command, deciding.Decision.APPROVE, "")

    results = await asyncio.gather(*(sign(each) for each in commands), return_exceptions=True)
    assert sorted(str(each) for each in results if each is not None) == [ETAG_MISMATCH.code]
    signed = (await intake.load(case.case_id)).part(part.part_id)
    assert len(signed.signatures) == 1
    assert signed.state.value == "reviewed"


async def test_nobody_signs_twice_and_a_decided_part_takes_no_signature(intake) -> None:
    case = await intake.submitted()
    part = next(each for each in case.parts if each.signatures_required == 2)
    await intake.accept(part.part_id)
    await intake.sign_part(part.part_id, position=1)
    with pytest.raises(Fault) as refusal:
        await intake.sign_part(part.part_id, position=1)
    assert refusal.value.code == "SIGNED_ALREADY"
    await intake.sign_part(part.part_id, position=2)
    with pytest.raises(Fault) as refusal:
        await intake.sign_part(part.part_id, "reject", 3, "反悔")
    assert refusal.value.code == "PART_STATE_WRONG"


async def test_the_database_itself_refuses_a_third_signature_and_a_foreign_step(intake) -> None:
    import asyncpg

    case = await intake.submitted()
    part_id = case.parts[0].part_id
    statements = (
        "insert into part_signature values ($1, 3, 'X', 'approve', '', now())",
        "update case_part set state = 'completed' where part_id = $1",
    )
    for statement in statements:
        with pytest.raises(asyncpg.CheckViolationError):
            async with intake.works() as work:
                await work.tx.execute(statement, part_id)


async def test_staff_of_another_department_and_etags_of_yesterday_are_refused(intake) -> None:
    case = await intake.submitted()
    first, second = case.parts[:2]
    command = await intake.command(first.part_id)
    foreign = deciding.PartCommand(
        command.department_code, first.part_id, command.etag, intake.staff(second.item.department_code)
    )
    stale = deciding.PartCommand(command.department_code, first.part_id, '"0"', command.staff_id)
    other = deciding.PartCommand(
        second.item.department_code, first.part_id, command.etag, intake.staff(second.item.department_code)
    )
    for attempt, code in ((foreign, "STAFF_UNKNOWN"), (stale, "ETAG_MISMATCH"), (other, "PART_NOT_FOUND")):
        with pytest.raises(Fault) as refusal:
            async with intake.works() as work:
                await deciding.accept_part(work, intake.catalogue, attempt)
        assert code in {refusal.value.code, *(each.reason.code for each in refusal.value.violations)}


@pytest.mark.promise("P7")
async def test_a_watcher_sees_every_revision_once_and_in_order_while_many_write(intake) -> None:
    """Like F5 of the reference: number order is commit order, or rows would be passed over."""
    cases = [await intake.ready() for _ in range(12)]
    department = cases[0].parts[0].item.department_code
    seen: list[int] = []
    done = asyncio.Event()

    async def watch() -> None:
        after = 0
        while True:
            finished = done.is_set()
            async with intake.works() as work:
                changes = await watching.list_changes(work, department, after, 7)
            seen.extend(each.revision for each in changes)
            after = changes[-1].revision if changes else after
            if finished and not changes:
                return
            await asyncio.sleep(0)

    async def live(case_id: str) -> None:
        await intake.submit(case_id)
        case = await intake.load(case_id)
        for part in case.parts:
            await intake.approve(part.part_id)

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(live(case.case_id) for case in cases))
    done.set()
    await watcher
    async with intake.works() as work:
        rows = await work.tx.fetch(
            "select part_id, change, revision from part_change where department_code = $1 order by revision",
            department,
        )
    assert seen == list(range(1, len(seen) + 1)) == [row["revision"] for row in rows]
    by_part: dict[str, list[str]] = {}
    for row in rows:
        by_part.setdefault(row["part_id"], []).append(row["change"])
    assert all(changes[0] == "submitted" and changes[-1] == "decided" for changes in by_part.values())


async def test_stored_answers_are_unreadable_at_rest(intake) -> None:
    cipher = EncryptedAnswers(intake.works._cipher)
    plain = hashlib.sha256(b"x").digest() + "测试人甲".encode()
    sealed = cipher.encrypt(plain)
    assert "测试人甲".encode() not in sealed
    assert cipher.decrypt(sealed) == plain
