"""A use-code names the consent under which it was issued; the case keeps that consent."""

from __future__ import annotations

import uuid

from services.intake.domain.cases.materials import SupplyKind
from services.intake.domain.cases.submission import supply_record
from tests.integration.intake.conftest import Intake


async def test_every_use_code_of_one_agreement_names_the_consent_that_the_case_keeps(intake: Intake) -> None:
    case = await intake.load((await intake.ready()).case_id)
    kept = {code: each.consent_id for code, each in case.supplies.items() if each.kind is SupplyKind.LICENCE}
    bound = sum(len(each.use_codes) for each in case.supplies.values())
    assert kept
    assert len(set(kept.values())) == len(kept), "each agreement has its own"
    assert all(str(uuid.UUID(each)) == each for each in kept.values())
    ordered = [order.consent_id for order in intake.registry.orders]
    assert len(ordered) == bound >= len(kept)
    assert set(ordered) == set(kept.values())


async def test_the_consent_stands_in_what_is_signed_and_archived(intake: Intake) -> None:
    case = await intake.submitted()
    for each in case.supplies.values():
        record = supply_record(each)
        assert record.get("consent_id", "") == each.consent_id
        assert ("consent_id" in record) is (each.kind is SupplyKind.LICENCE)
