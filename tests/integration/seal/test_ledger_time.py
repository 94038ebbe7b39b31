"""The ledger is time-stamped; when that lags no seal is used, and every tampered byte of it is named (bar P8)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest

from chassis.errors import Fault
from services.seal.domain.timestamps import judge_token
from services.seal.usecases.ledger_time import (
    LAG_LIMIT,
    CheckpointBreak,
    check_checkpoints,
    check_lag,
    lag_of,
    stamp_ledger,
)
from services.seal.usecases.read_register import check_ledger
from tests.integration.seal.conftest import SealWorld
from tests.unit.seal.sealing_room import sm2
from tests.unit.seal.stamping_room import stamping_authority, trust_of

pytestmark = [pytest.mark.promise("P8")]
SECOND = timedelta(seconds=1)


async def stamped(world: SealWorld) -> bool:
    return await stamp_ledger(world.unit, world.timekeeping.timestamper, sm2().digest)


async def checkpoints(world: SealWorld) -> list[tuple[int, int]]:
    rows = await world.rows("select number, sequence from ledger_checkpoint order by number")
    return [(row["number"], row["sequence"]) for row in rows]


async def proved(world: SealWorld) -> CheckpointBreak | None:
    trust = trust_of(world.workshop.pki)
    async with world.unit() as work:
        return await check_checkpoints(work, trust, sm2().digest, world.clock())


async def uses(world: SealWorld) -> int:
    return int((await world.rows("select count(*) from seal_use where outcome = 'sealed'"))[0]["count"])


async def test_every_sealed_licence_carries_a_token_that_verifies(stocked: SealWorld):
    await stocked.deliver()
    report = await stocked.verify(await stocked.sealed())
    assert report.verdict.value == "VALID", report
    checks = {check.name.value: check.result.value for check in report.signatures[0].checks}
    assert checks["timestamp"] == "valid"
    assert report.signatures[0].proved_at == stocked.clock.at.replace(microsecond=0)


async def test_the_ledgers_end_is_stamped_when_it_moved_and_only_then(stocked: SealWorld):
    assert not await stamped(stocked)
    await stocked.deliver("licence-1")
    await stocked.deliver("licence-2")
    assert await stamped(stocked)
    assert not await stamped(stocked)
    await stocked.deliver("licence-3")
    assert await stamped(stocked)
    assert await checkpoints(stocked) == [(1, 2), (2, 3)]
    assert await proved(stocked) is None
    async with stocked.unit() as work:
        (first, second) = await work.checkpoints.after(0, 10)
    assert judge_token(first.token, first.stamped, trust_of(stocked.workshop.pki)).fault == ""
    assert judge_token(second.token, first.stamped, trust_of(stocked.workshop.pki)).fault == "imprint"


async def test_two_processes_that_stamp_the_same_end_keep_one_token(stocked: SealWorld):
    await stocked.deliver()
    kept = await asyncio.gather(*(stamped(stocked) for _ in range(4)))
    assert sum(kept) == 1
    assert await checkpoints(stocked) == [(1, 1)]


async def test_while_no_time_stamper_answers_nothing_is_sealed_and_nothing_is_lost(stocked: SealWorld):
    await stocked.deliver("licence-1")
    stocked.stamping.down = True
    for number in (2, 3):
        with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE") as raised:
            await stocked.deliver(f"licence-{number}")
        assert raised.value.kind.name == "UNAVAILABLE"
    assert await uses(stocked) == 1
    assert await stocked.rows("select 1 from seal_use where outcome <> 'sealed'") == []
    assert len(await stocked.rows("select 1 from sealed_document")) == 1
    stocked.stamping.down = False
    for number in (2, 3):
        await stocked.deliver(f"licence-{number}")
        assert (await stocked.verify(await stocked.sealed(f"licence-{number}"))).verdict.value == "VALID"
    assert await uses(stocked) == 3


async def test_when_the_stamps_of_the_ledger_lag_beyond_the_limit_no_seal_is_used_until_they_recover(
    stocked: SealWorld,
):
    await stocked.deliver("licence-1")
    ledger = stocked.stamping
    stocked.clock.at += LAG_LIMIT
    await stocked.deliver("licence-2")  # at the limit it still goes
    stocked.clock.at += SECOND
    with pytest.raises(Fault, match="LEDGER_TIME_LAG") as raised:
        await stocked.deliver("licence-3")
    assert (raised.value.kind.name, raised.value.en) == (
        "UNAVAILABLE",
        "Time stamping of the ledger lags by more than 600 s; no seal is used until it recovers",
    )
    assert await uses(stocked) == 2
    async with stocked.unit() as work:
        assert await lag_of(work, stocked.clock()) == LAG_LIMIT + SECOND
    assert (await proved(stocked)) == CheckpointBreak(1, 1, "missing: older uses have none")
    ledger.down = True
    with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
        await stamped(stocked)
    ledger.down = False
    assert await stamped(stocked)
    await stocked.deliver("licence-3")
    assert await uses(stocked) == 3
    async with stocked.unit() as work:
        await check_lag(work, stocked.clock())
    assert await proved(stocked) is None


async def test_an_idle_ledger_never_lags(stocked: SealWorld):
    await stocked.deliver("licence-1")
    await stamped(stocked)
    stocked.clock.at += timedelta(days=2)
    async with stocked.unit() as work:
        assert await lag_of(work, stocked.clock()) == timedelta()
    await stocked.deliver("licence-2")


async def test_a_checkpoint_is_written_once(stocked: SealWorld):
    await stocked.deliver()
    await stamped(stocked)
    for tampering in (
        "update ledger_checkpoint set sequence = 9 returning 1",
        "delete from ledger_checkpoint returning 1",
    ):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await stocked.rows(tampering)


FLIP = "set_byte({column}, {at}, get_byte({column}, {at}) # 1)"
TAMPERED = {
    "a token's first byte": (f"token = {FLIP.format(column='token', at=0)}", (2, "token: format")),
    "a token's last byte": ("token = set_byte(token, length(token) - 1, get_byte(token, length(token) - 1) # 1)",
                            (2, "token: signature")),
    "a token cut short": ("token = substring(token for length(token) - 1)", (2, "token: format")),
    "another row hash": (f"row_hash = {FLIP.format(column='row_hash', at=31)}", (2, "token: imprint")),
    "another chain": (f"previous_hash = {FLIP.format(column='previous_hash', at=0)}", (2, "not chained")),
    "another row": ("sequence = 5", (2, "token: imprint")),
    "another time": ("stamped_at = stamped_at + interval '1 second'", (2, "another time")),
}  # fmt: skip


async def three_checkpoints(world: SealWorld) -> None:
    for number in range(6):
        await world.deliver(f"licence-{number}")
        if number % 2:
            await stamped(world)
        world.clock.at += SECOND
    assert await checkpoints(world) == [(1, 2), (2, 4), (3, 6)]
    assert await proved(world) is None


Check = Callable[[SealWorld], Awaitable[object]]


async def after(world: SealWorld, *statements: str, check: Check) -> object:
    """Return what a check finds after statements of somebody who owns the database; nothing of them stays."""
    connection = await asyncpg.connect(world.dsn)
    change = connection.transaction()
    await change.start()
    try:
        for table in ("seal_use", "ledger_checkpoint"):
            await connection.execute(f"alter table {table} disable trigger all")
        for statement in statements:
            await connection.execute(statement)
        async with world.database.transaction() as tx:
            kept, tx.connection = tx.connection, connection
            try:
                return await check(world.unit.work(tx))
            finally:
                tx.connection = kept
    finally:
        await change.rollback()
        await connection.close()


async def test_every_tampered_byte_of_a_checkpoint_is_named(stocked: SealWorld):
    await three_checkpoints(stocked)
    trust, now = trust_of(stocked.workshop.pki), stocked.clock()

    async def check(work):
        return await check_checkpoints(work, trust, sm2().digest, now)

    for name, (change, (number, cause)) in TAMPERED.items():
        found = await after(stocked, f"update ledger_checkpoint set {change} where number = 2", check=check)
        assert isinstance(found, CheckpointBreak), name
        assert (found.checkpoint, found.sequence) == (number, 3), name
        assert found.cause.startswith(cause), (name, found)
    assert await proved(stocked) is None


async def test_a_removed_checkpoint_is_named_first_middle_and_last(stocked: SealWorld):
    await three_checkpoints(stocked)
    trust = trust_of(stocked.workshop.pki)
    later = stocked.clock() + LAG_LIMIT + SECOND

    async def check(work):
        return await check_checkpoints(work, trust, sm2().digest, later)

    for number, sequence in ((1, 1), (2, 3), (3, 5)):
        found = await after(stocked, f"delete from ledger_checkpoint where number = {number}", check=check)
        assert (found.checkpoint, found.sequence) == (number, sequence)
        assert found.cause.startswith("missing")


async def test_a_ledger_computed_anew_or_cut_is_told_by_the_stamps_alone(stocked: SealWorld):
    """Who owns the database can chain anew what he changed; the tokens he cannot make."""
    await three_checkpoints(stocked)
    trust, now = trust_of(stocked.workshop.pki), stocked.clock()

    async def check(work):
        return await check_checkpoints(work, trust, sm2().digest, now)

    other = "\\x" + "ab" * 32
    chained = f"update seal_use set row_hash = '{other}' where sequence = 4"
    found = await after(stocked, chained, check=check)
    assert found == CheckpointBreak(2, 3, "its row is another")
    found = await after(stocked, "delete from seal_use where sequence > 3", check=check)
    assert found == CheckpointBreak(2, 3, "its row is gone")


async def test_one_tampered_byte_of_a_use_is_named_by_its_number(stocked: SealWorld):
    await three_checkpoints(stocked)

    async def check(work):
        return await check_ledger(work, sm2().digest)

    changes = (
        "case_id = 'case-2'",
        "used_at = used_at + interval '1 microsecond'",
        f"previous_hash = {FLIP.format(column='previous_hash', at=0)}",
        f"row_hash = {FLIP.format(column='row_hash', at=31)}",
        "document_sm3 = translate(document_sm3, '0123456789abcdef', '123456789abcdef0')",
    )
    for change in changes:
        assert await after(stocked, f"update seal_use set {change} where sequence = 4", check=check) == 4


async def test_a_token_of_an_authority_that_is_not_ours_proves_nothing(stocked: SealWorld):
    await stocked.deliver()
    await stamped(stocked)
    strangers = trust_of()
    async with stocked.unit() as work:
        found = await check_checkpoints(work, strangers, sm2().digest, stocked.clock())
    assert found == CheckpointBreak(1, 1, "token: authority not trusted")


async def test_a_stamp_with_an_altered_row_code_stops_the_stamping(stocked: SealWorld):
    await stocked.deliver("licence-1")
    await stamped(stocked)

    async def check(work):
        with pytest.raises(Fault, match="ROW_ALTERED"):
            await check_lag(work, stocked.clock())
        return True

    assert await after(stocked, "update ledger_checkpoint set sequence = 100", check=check)


async def test_a_time_stamper_that_is_started_again_goes_on_where_it_was(stocked: SealWorld):
    await stocked.deliver("licence-1")
    stocked.stamping.authority = stamping_authority(stocked.clock, stocked.workshop.pki)
    await stocked.deliver("licence-2")
    assert await stamped(stocked)
    assert await proved(stocked) is None
