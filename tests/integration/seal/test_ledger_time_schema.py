"""The schema of time stamping goes one step back and forth again, and lets nothing but what it names be kept."""

from __future__ import annotations

import asyncpg
import pytest

from chassis.migrate import migrate


@pytest.fixture
async def dsn(fresh_database) -> str:
    made = await fresh_database()
    await migrate("seal", made)
    return made


async def kept(connection: asyncpg.Connection, role: str) -> None:
    await connection.execute(
        "insert into trust_certificate (fingerprint, role, certificate, kept_at) values ($1, $1, '', now())",
        role,
    )


async def test_one_step_back_and_forth(dsn: str):
    connection = await asyncpg.connect(dsn)
    for role in ("anchor", "tsa", "tsa_anchor"):
        await kept(connection, role)
    await migrate("seal", dsn, revision="0005", down=True)
    assert await connection.fetchval("select to_regclass('ledger_checkpoint')") is None
    assert await connection.fetchval("select array_agg(role) from trust_certificate") == ["anchor"]
    with pytest.raises(asyncpg.CheckViolationError):
        await kept(connection, "tsa")
    await connection.execute("select own_grants()")
    await migrate("seal", dsn)
    await kept(connection, "tsa")
    await connection.execute("select own_grants()")
    with pytest.raises(asyncpg.CheckViolationError):
        await kept(connection, "stranger")
    await connection.close()
