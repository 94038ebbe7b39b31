"""Who may tell by a row that a licence fell by a decision: its issuer's own source alone."""

from __future__ import annotations

import pytest

from services.certs.rpc.sources import SourceServicer
from tests.integration.certs.conftest import FIRE, MARKET, World
from tests.integration.certs.test_sources import reasons, register, send
from tongban.certs.v1 import licence_pb2 as pb


@pytest.mark.parametrize("word", ["撤销", "吊销"])
async def test_only_the_issuers_own_source_tells_of_a_revocation(world: World, word: str) -> None:
    """One row, one person and no document: the decision and both people are in the issuer's own system."""
    desk, row = SourceServicer(world.desk), world.row(world.citizen())
    fallen = row | {"ZZZT": word}
    await register(world, desk, "county", priority=90)
    await register(world, desk, "market", priority=90, issuer_codes=[MARKET])
    with world.as_department():
        await send(world, (0, row))
    with world.as_department(FIRE):
        (county,) = await send(world, (0, fallen), source_id="county")
    with world.as_operator():
        (operator,) = await send(world, (0, fallen))
    for refused in (county, operator):
        assert reasons(refused) == [("ZZZT", "SOURCE_MAY_NOT_REVOKE")]
    with world.as_department(FIRE):
        (taken,) = await send(world, (0, fallen), source_id="market", batch_id="b7")
    assert taken.outcome == pb.IMPORT_OUTCOME_UPDATED
    line = "select count(*) from licence_status_change where operator = 'market' and basis_document = $1"
    assert await world.count(line, "来源 market 批次 b7") == 1
