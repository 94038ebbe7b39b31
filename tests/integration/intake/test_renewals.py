"""An approval of an item that renews a licence says which one, where the applicant gave it as a material."""

from __future__ import annotations

from services.intake.usecases.cases import issuing
from tests.integration.intake.conftest import Intake

FOOD = "11100000MB0143028R901"


async def issue_data(intake: Intake, part_id: str) -> issuing.IssueData:
    async with intake.works() as work:
        return await issuing.get_issue_data(work, intake.catalogue, part_id)


async def test_a_renewal_names_the_licence_that_was_given_for_the_present_one(intake: Intake) -> None:
    case = await intake.submitted("food-operation-renewal")
    (part,) = case.parts
    await intake.approve(part.part_id)
    data = await issue_data(intake, part.part_id)
    assert (data.operation, data.predecessor_id) == ("renew", f"lic-{FOOD}")
    assert case.supplies["food_licence_present"].licence_id == data.predecessor_id


async def test_a_present_licence_given_on_paper_names_none(intake: Intake) -> None:
    case = await intake.ready("food-operation-renewal")
    await intake.upload(case.case_id, "food_licence_present")
    await intake.submit(case.case_id)
    (part,) = case.parts
    await intake.approve(part.part_id)
    data = await issue_data(intake, part.part_id)
    assert (data.operation, data.predecessor_id) == ("renew", "")


async def test_what_is_new_follows_nothing(intake: Intake) -> None:
    case = await intake.submitted("food-operation-licence")
    (part,) = case.parts
    await intake.approve(part.part_id)
    data = await issue_data(intake, part.part_id)
    assert (data.operation, data.predecessor_id) == ("issue", "")
