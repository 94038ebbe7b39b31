"""What a hostile or an unlucky course of events must not bring about in a case."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from dataclasses import replace

import pytest

from chassis.auth.person import ActingPerson
from chassis.errors import Fault
from events import certs
from events import intake as told
from services.intake.consumers import Following, handlers
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.materials import SupplyKind
from services.intake.domain.cases.part import Defect
from services.intake.usecases import archive
from services.intake.usecases.cases import deciding, drafting, following, submitting, supplying
from standards.identifiers import build_uscc

SHARED = "identity_card"


async def ask(intake, part_id: str, *targets: str) -> None:
    command = await intake.command(part_id)
    defects = tuple(Defect(each, "请更正") for each in targets)
    async with intake.works() as work:
        await deciding.request_supplement(work, intake.catalogue, command, defects)


async def choose(intake, case_id: str, material: str) -> None:
    case = await intake.load(case_id)
    need = case.plan.need(material)
    choice = supplying.SupplyChoice(
        SupplyKind.LICENCE,
        agreed=True,
        licence_id=f"lic-{need.material.replaced_by[0].licence_type}",
        consent_version="2026.1",
    )
    await supplying.choose_supply(
        intake.works, intake.registry, intake.catalogue, intake.actor, case_id, material, choice
    )


async def answer(intake, case_id: str) -> None:
    async with intake.works() as work:
        await following.answer_supplement(work, intake.actor, case_id)


async def test_a_part_that_asks_later_keeps_its_use_code_of_a_shared_material(intake) -> None:
    case = await intake.submitted()
    first, second, _ = case.parts
    before = case.supply_of(second, SHARED)
    await ask(intake, first.part_id, SHARED)
    await choose(intake, case.case_id, SHARED)
    await ask(intake, second.part_id, "sign_kind")
    async with intake.works() as work:
        await drafting.update_form(work, intake.actor, case.case_id, {"sign_kind": case.form["sign_kind"]})
    await answer(intake, case.case_id)
    case = await intake.load(case.case_id)
    now_first, now_second, _ = case.parts
    assert case.supply_of(now_first, SHARED).use_code_for(first.part_id) is not None
    assert case.supply_of(now_first, SHARED) != before
    assert case.supply_of(now_second, SHARED) == before


async def test_a_licence_chosen_before_a_part_asked_for_it_is_no_answer_to_that_part(intake) -> None:
    case = await intake.submitted()
    first, second, _ = case.parts
    await ask(intake, first.part_id, SHARED)
    await choose(intake, case.case_id, SHARED)
    await ask(intake, second.part_id, SHARED)
    with pytest.raises(Fault) as refusal:
        await answer(intake, case.case_id)
    assert [each.field_path for each in refusal.value.violations] == [f"supplements.{SHARED}"]
    await choose(intake, case.case_id, SHARED)
    await answer(intake, case.case_id)
    case = await intake.load(case.case_id)
    for part in case.parts[:2]:
        assert case.supply_of(part, SHARED).use_code_for(part.part_id) is not None


async def test_a_case_is_not_handed_in_by_a_weaker_log_in_than_its_items_ask(intake) -> None:
    case = await intake.ready()
    weak = ActingPerson(intake.actor.person_id, assurance=2, terminal_id=intake.actor.terminal_id)
    with pytest.raises(Fault) as refusal:
        async with intake.works() as work:
            await submitting.submit(work, intake.sign, weak, case.case_id)
    assert refusal.value.code == "REAL_NAME_LEVEL_TOO_LOW"
    await intake.submit(case.case_id)


async def test_an_organisation_begins_no_case_for_what_is_for_natural_persons(intake) -> None:
    intake.persons["org"] = Applicant(
        "org", "legal", "测试公司", "001", build_uscc("91", "361123", "TB900012"), "19900000001"
    )
    person, intake.actor = intake.actor, replace(intake.actor, acting_for="org")
    with pytest.raises(Fault) as refusal:
        await intake.draft("old-age-allowance")
    assert refusal.value.code == "APPLICANT_NOT_ADMITTED"
    assert (await intake.draft("food-operation-licence")).person_id == "org"
    intake.actor = person
    assert (await intake.draft("old-age-allowance")).person_id == person.person_id


async def test_a_draft_for_another_organisation_loses_the_licences_of_the_former_one(intake) -> None:
    case = await intake.ready()
    assert case.plan.need("business_licence") is not None
    other = build_uscc("92", "361123", "MATB0002")
    async with intake.works() as work:
        held = await work.cases.load(case.case_id)
        form = dict(held.form)
        same = await drafting.update_form(work, intake.actor, case.case_id, form)
        assert set(same.supplies) == set(held.supplies)
        changed = await drafting.update_form(
            work, intake.actor, case.case_id, form | {"business_uscc": other}
        )
    assert set(held.supplies) - set(changed.supplies) == {"business_licence"}
    with pytest.raises(Fault) as refusal:
        await intake.submit(case.case_id)
    assert {each.field_path for each in refusal.value.violations} == {"materials.business_licence"}


async def test_a_repeated_withdrawal_with_other_words_is_a_request_of_its_own(intake, monkeypatch) -> None:
    asked: dict[str, str] = {}

    async def revoke(case_id: str, reason: str, request_id: str) -> int:
        assert asked.setdefault(request_id, reason) == reason, "the registry refuses a reused request id"
        return 1

    monkeypatch.setattr(intake.registry, "revoke_use_codes", revoke)
    case = await intake.submitted()
    for reason in ("", "不办了", "不办了"):
        await following.withdraw(intake.works, intake.registry, intake.actor, case.case_id, reason=reason)
    assert len(asked) == 2


def issued(case, part) -> certs.LicenceIssued:
    return certs.LicenceIssued(
        licence_id=f"L-{part.part_id}",
        identifier="1.2.156.3005.2.x",
        type_code=part.item.licence_type_code,
        type_name="测试许可证",
        county_code=part.item.county_code,
        issuer_code=part.item.department_code,
        case_id=case.case_id,
        part_id=part.part_id,
        signature_id="s",
        document_sha256="0" * 64,
        issued_at=case.submitted_at,
    )


async def test_licences_coming_into_force_never_lock_departments_out_in_a_circle(intake) -> None:
    """A batch completes parts of two cases while a department works on the second one."""
    one, two = await intake.submitted(), await intake.submitted()
    done = [each.parts[0] for each in (one, two)]
    for part in done:
        await intake.approve(part.part_id)
    tools = Following(intake.works, intake.works.within, intake.registry, intake.files, intake.sign)
    handler = next(each for each in handlers(tools) if each.event is certs.LicenceIssued)
    events = [issued(case, part) for case, part in zip((one, two), done, strict=True)]
    locked, first_done = asyncio.Event(), asyncio.Event()

    async def department() -> None:
        async with intake.works() as work:
            case = await work.cases.load(two.case_id, lock=True)
            locked.set()
            async with asyncio.timeout(1):
                await first_done.wait()
            await asyncio.sleep(0.2)
            for step, part in enumerate(case.parts[1:], 1):
                case.claim(part.part_id, f"staff-{step}", work.now())
            await deciding.record(work, case)
            await work.feed.append(
                [
                    deciding_change(part, work.now())
                    for part in done  # the same departments hear of the batch's parts
                ]
            )

    async def batch() -> None:
        await locked.wait()
        first, second = events
        prepared = await handler.prepare(first) if handler.prepare else None
        async with intake.works.database.transaction() as tx:
            await handler.apply(tx, first, None, prepared)
            first_done.set()
            again = await handler.prepare(second) if handler.prepare else None
            await handler.apply(tx, second, None, again)

    async with asyncio.timeout(4):
        await asyncio.gather(department(), batch())
    for case, part in zip((one, two), done, strict=True):
        assert (await intake.load(case.case_id)).part(part.part_id).state.value == "completed"


def deciding_change(part, at):
    from services.intake.usecases.cases.ports import PartChange

    return PartChange(part.item.department_code, part.part_id, "claimed", part.state, at)


async def test_the_package_says_how_each_material_reached_each_department(intake) -> None:
    case = await intake.submitted()
    first = case.parts[0]
    await ask(intake, first.part_id, "food_layout")
    await intake.upload(case.case_id, "food_layout", b"%PDF-1.7 better")
    await answer(intake, case.case_id)
    for part in case.parts:
        command = await intake.command(part.part_id)
        async with intake.works() as work:
            await deciding.refuse_part(work, intake.catalogue, command, "不属于本部门职权", "住建局")
    closed = told.CaseClosed(
        case_id=case.case_id,
        case_no=case.case_no,
        person_id=case.person_id,
        title="x",
        county_code="361123",
        approved_parts=0,
        rejected_parts=3,
        closed_at=intake.clock(),
    )
    tools = Following(intake.works, intake.works.within, intake.registry, intake.files, intake.sign)
    handler = next(each for each in handlers(tools) if each.event is told.CaseClosed)
    prepared = await handler.prepare(closed)
    async with intake.works.database.transaction() as tx:
        await handler.apply(tx, closed, None, prepared)
    _, package = await archive.get_archive(intake.works, intake.files, intake.actor, case.case_id)
    case = await intake.load(case.case_id)
    with zipfile.ZipFile(io.BytesIO(package)) as zipped:
        for part in case.parts:
            told_of = json.loads(zipped.read(f"parts/{part.part_id}.json"))["materials"]
            needs = [n for n in case.plan.needs if part.item.item_id in n.parts and n.supplied_by is None]
            assert set(told_of) == {need.material.code for need in needs}
            for need in needs:
                supplied = case.supply_of(part, need.material.code)
                assert told_of[need.material.code]["kind"] == supplied.kind.value
    better = case.part_supplies[first.part_id]["food_layout"]
    assert better.sha256 != case.supplies["food_layout"].sha256


async def test_a_window_clerk_signs_nothing(intake) -> None:
    case = await intake.submitted()
    part = case.parts[0]
    await intake.accept(part.part_id)
    department = intake.catalogue.department_by_uscc(part.item.department_code)
    assert department.staff[0].role.value == "window_clerk"
    with pytest.raises(Fault) as refusal:
        await intake.sign_part(part.part_id, position=0)
    assert [each.reason.code for each in refusal.value.violations] == ["STAFF_MAY_NOT_SIGN"]
    assert not (await intake.load(case.case_id)).part(part.part_id).signatures


async def test_the_registry_is_asked_only_while_something_can_be_supplied(intake, monkeypatch) -> None:
    case = await intake.submitted()
    asked: list[str] = []
    find = intake.registry.find

    async def counting(**given: object):
        asked.append(str(given["case_id"]))
        return await find(**given)

    monkeypatch.setattr(intake.registry, "find", counting)
    shown = await supplying.find_material_licences(intake.works, intake.registry, intake.actor, case.case_id)
    assert not asked
    assert not any(each.candidates or each.registry_unavailable for each in shown)
    await ask(intake, case.parts[0].part_id, SHARED)
    shown = await supplying.find_material_licences(intake.works, intake.registry, intake.actor, case.case_id)
    assert asked
    assert any(each.candidates for each in shown)
