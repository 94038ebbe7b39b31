"""From draft to close, as the applicant and three departments live it."""

from __future__ import annotations

import pytest

from chassis.auth import public_keys, verify_document
from chassis.auth.person import ActingPerson
from chassis.errors import Fault
from services.intake.domain.cases.case import CaseState
from services.intake.domain.cases.part import Defect, ResultLicence
from services.intake.domain.cases.submission import handed_in
from services.intake.usecases.cases import (
    deciding,
    drafting,
    following,
    issuing,
    submitting,
    supplying,
    watching,
)
from services.intake.usecases.cases.digest import canonical_digest
from standards.identifiers import check_case_number

OTHER = ActingPerson("somebody-else", assurance=3)


async def test_a_case_runs_from_draft_to_close(intake) -> None:
    case = await intake.submitted()
    assert case.state is CaseState.SUBMITTED
    assert check_case_number(case.case_no).valid
    for part in case.parts:
        await intake.approve(part.part_id)
    case = await intake.load(case.case_id)
    assert case.state is CaseState.IN_PROGRESS
    for part in case.parts:
        async with intake.works() as work:
            data = await issuing.get_issue_data(work, intake.catalogue, part.part_id)
            licence_type = intake.catalogue.licence_type(data.licence_type_code)
            required = {each.code for each in licence_type.face_fields if each.required}
            assert required <= data.face.keys()
            assert data.holder.name
            assert data.holder.id_number
        for _ in range(2):  # a repeated event changes nothing
            async with intake.works() as work:
                licence = ResultLicence(f"L{part.part_id}", "1.2.156", "许可证")
                await issuing.record_licence(work, case.case_id, part.part_id, licence)
    case = await intake.load(case.case_id)
    assert case.state is CaseState.CLOSED
    assert case.closed_at is not None
    events = await intake.events()
    assert [version for _, _, version in events] == list(range(1, len(events) + 1))
    assert case.version == len(events)
    assert [name for name, _, _ in events].count("intake.CaseClosed.v1") == 1
    async with intake.works() as work:
        timeline = await drafting.list_timeline(work, intake.actor, case.case_id)
    assert {"case_submitted", "part_decided", "case_closed"} <= {entry.what for entry in timeline}


async def test_the_receipt_verifies_and_its_digest_is_of_what_was_handed_in(intake) -> None:
    case = await intake.ready()
    receipt = await intake.submit(case.case_id)
    case = await intake.load(case.case_id)
    document = verify_document(receipt.signed, public_keys([intake.keys]))
    assert document == receipt.document
    assert document["handed_in_digest"] == canonical_digest(handed_in(case))
    applicant = intake.persons[intake.actor.person_id]
    assert applicant.name not in str(document)
    assert applicant.id_number not in str(document)


async def test_submitting_names_every_missing_field_and_material_at_once(intake) -> None:
    case = await intake.draft()
    async with intake.works() as work:
        await drafting.update_form(work, intake.actor, case.case_id, {"shop_name": "测试小馆"})
    with pytest.raises(Fault) as refusal:
        await intake.submit(case.case_id)
    paths = {each.field_path for each in refusal.value.violations}
    assert {
        "form.business_uscc",
        "form.floor_area",
        "materials.identity_card",
        "materials.food_layout",
    } <= paths
    assert len([path for path in paths if path.startswith("materials.")]) == len(case.plan.needs)
    assert (await intake.load(case.case_id)).state is CaseState.DRAFT


async def test_a_second_submission_names_the_case_number(intake) -> None:
    case = await intake.submitted()
    with pytest.raises(Fault) as refusal:
        await intake.submit(case.case_id)
    assert refusal.value.code == "CASE_ALREADY_SUBMITTED"
    assert refusal.value.metadata["case_no"] == case.case_no


async def test_another_persons_case_is_not_found(intake) -> None:
    case = await intake.submitted()
    async with intake.works() as work:
        for attempt in (
            drafting.get_case(work, OTHER, case.case_id),
            drafting.update_form(work, OTHER, case.case_id, {}),
            drafting.list_timeline(work, OTHER, case.case_id),
            submitting.submit(work, intake.sign, OTHER, case.case_id),
            following.answer_supplement(work, OTHER, case.case_id),
        ):
            with pytest.raises(Fault) as refusal:
                await attempt
            assert refusal.value.code == "CASE_NOT_FOUND"
        assert not await drafting.list_cases(work, OTHER)
        assert [each.case_id for each in await drafting.list_cases(work, intake.actor)] == [case.case_id]


async def test_a_log_in_below_the_items_real_name_level_begins_no_case(intake) -> None:
    intake.actor = ActingPerson(intake.actor.person_id, assurance=1)
    with pytest.raises(Fault) as refusal:
        await intake.draft()
    assert refusal.value.code == "REAL_NAME_LEVEL_TOO_LOW"


async def test_each_part_gets_its_own_use_code_bound_to_its_department(intake) -> None:
    case = await intake.ready()
    orders = [order for order in intake.registry.orders if order.licence_id == "lic-11100000MB0143028R001"]
    assert {(o.item_code, o.consumer_code) for o in orders} == {
        (part.item.item_code, part.item.department_code) for part in case.parts
    }
    assert {order.case_id for order in orders} == {case.case_id}


async def test_licences_found_are_offered_for_the_materials_they_replace(intake) -> None:
    case = await intake.draft()
    options = await supplying.find_material_licences(
        intake.works, intake.registry, intake.actor, case.case_id
    )
    by_code = {each.need.material.code: each for each in options}
    assert by_code["business_licence"].candidates[0].county_code == "422827"
    assert not by_code["food_layout"].candidates


async def test_a_material_is_refused_in_a_way_the_catalogue_does_not_allow(intake) -> None:
    case = await intake.draft()
    choice = supplying.SupplyChoice(supplying.SupplyKind.TOLERANCE, agreed=True)
    with pytest.raises(Fault) as refusal:
        await supplying.choose_supply(
            intake.works, intake.registry, intake.catalogue, intake.actor, case.case_id, "food_layout", choice
        )
    assert refusal.value.code == "SUPPLY_NOT_ALLOWED"


async def test_a_file_whose_content_is_not_its_type_is_refused(intake) -> None:
    case = await intake.draft()
    with pytest.raises(Fault) as refusal:
        await intake.upload(case.case_id, "food_layout", b"MZ executable")
    assert refusal.value.code == "FILE_TYPE_REFUSED"


async def test_a_supplement_is_told_once_and_answered_all_at_once(intake) -> None:
    case = await intake.submitted()
    part = next(each for each in case.parts if each.item.item_id == "food-operation-licence")
    others = [each for each in case.parts if each is not part]
    command = await intake.command(part.part_id)
    defects = (
        Defect("food_layout", "缺少通风口位置", "重新上传"),
        Defect("floor_area", "与现场不符", "更正面积"),
    )
    async with intake.works() as work:
        await deciding.request_supplement(work, intake.catalogue, command, defects)
    case = await intake.load(case.case_id)
    assert case.state is CaseState.SUPPLEMENT
    await intake.upload(case.case_id, "food_layout", b"%PDF-1.7 better")
    with pytest.raises(Fault) as refusal:
        async with intake.works() as work:
            await following.answer_supplement(work, intake.actor, case.case_id)
    assert [each.field_path for each in refusal.value.violations] == ["supplements.floor_area"]
    async with intake.works() as work:
        await drafting.update_form(work, intake.actor, case.case_id, {"floor_area": "120"})
        await following.answer_supplement(work, intake.actor, case.case_id)
    case = await intake.load(case.case_id)
    answered = case.part(part.part_id)
    assert answered.state.value == "submitted"
    assert case.form_of(answered)["floor_area"] == "120"
    assert all(case.form_of(case.part(each.part_id)).get("floor_area", "80") == "80" for each in others)
    command = await intake.command(part.part_id)
    with pytest.raises(Fault) as refusal:
        async with intake.works() as work:
            await deciding.request_supplement(work, intake.catalogue, command, defects)
    assert refusal.value.code == "SUPPLEMENT_ALREADY_REQUESTED"


async def test_a_defect_must_name_something_of_the_item(intake) -> None:
    case = await intake.submitted()
    command = await intake.command(case.parts[0].part_id)
    with pytest.raises(Fault) as refusal:
        async with intake.works() as work:
            await deciding.request_supplement(
                work, intake.catalogue, command, (Defect("no_such_thing", "缺"), Defect("", "缺"))
            )
    assert refusal.value.code == "INVALID_REQUEST"


async def test_withdrawing_takes_the_use_codes_back_and_is_repeatable(intake) -> None:
    case = await intake.submitted()
    for _ in range(2):
        withdrawal = await following.withdraw(intake.works, intake.registry, intake.actor, case.case_id)
        assert withdrawal.use_codes_revoked
    assert intake.registry.revoked == [case.case_id] * 2
    events = [name for name, _, _ in await intake.events()]
    assert events.count("intake.CaseWithdrawn.v1") == 1


async def test_after_a_decision_it_is_too_late_to_withdraw(intake) -> None:
    case = await intake.submitted()
    await intake.approve(case.parts[0].part_id)
    with pytest.raises(Fault) as refusal:
        await following.withdraw(intake.works, intake.registry, intake.actor, case.case_id)
    assert refusal.value.code == "WITHDRAWAL_TOO_LATE"
    assert not intake.registry.revoked


async def test_a_rejected_and_a_refused_part_have_their_result_at_once(intake) -> None:
    case = await intake.submitted()
    first, second, third = case.parts
    await intake.accept(first.part_id)
    with pytest.raises(Fault) as refusal:
        await intake.sign_part(first.part_id, "reject", 1)
    assert [each.reason.code for each in refusal.value.violations] == ["OPINION_REQUIRED"]
    await intake.sign_part(first.part_id, "reject", 1, "布局不符合规定")
    if first.signatures_required == 2:
        await intake.sign_part(first.part_id, "reject", 2, "同意不予许可")
    for part in (second, third):
        command = await intake.command(part.part_id)
        async with intake.works() as work:
            await deciding.refuse_part(work, intake.catalogue, command, "不属于本部门职权", "住建局")
    assert (await intake.load(case.case_id)).state is CaseState.CLOSED
    events = [name for name, _, _ in await intake.events()]
    assert events[-1] == "intake.CaseClosed.v1"
    assert "intake.PartCompleted.v1" not in events


async def test_no_more_is_taken_in_while_the_bus_is_far_behind(intake) -> None:
    await intake.submitted()
    case = await intake.ready()
    with pytest.raises(Fault) as refusal:
        async with intake.works() as work:
            await submitting.submit(work, intake.sign, intake.actor, case.case_id, backlog_limit=0)
    assert refusal.value.code == "TOO_MANY_REQUESTS"
    assert refusal.value.retry_after_seconds


async def test_form_values_are_not_readable_in_the_database(intake) -> None:
    case = await intake.submitted()
    async with intake.works() as work:
        row = await work.tx.fetchrow("select content from service_case where case_id = $1", case.case_id)
        dump = await work.tx.fetchval("select string_agg(c::text, ' ') from service_case c")
    assert "测试小馆".encode() not in row["content"]
    assert "19900000000" not in dump


async def test_a_departments_list_shows_its_own_parts_newest_change_first_in_pages(intake) -> None:
    cases = [await intake.submitted() for _ in range(3)]
    department = cases[0].parts[0].item.department_code
    mine = {part.part_id for case in cases for part in case.parts if part.item.department_code == department}
    seen, token = [], ""
    while True:
        async with intake.works() as work:
            page = await watching.list_parts(work, department, (), 1, token)
        seen += [each.part_id for each in page.parts]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == mine
