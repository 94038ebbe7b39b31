"""Two database roles in one schema: who makes seals cannot sign with them, who signs cannot make any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncpg
import pytest

from chassis.db import Database
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from chassis.roles import dsn_for, provision, roles_of
from services.seal.store import StoreUnit
from services.seal.usecases.make_seals import issue_lists, make_seals
from services.seal.usecases.request_keys import request_keys
from tests.integration.seal.conftest import AUTHORITIES, GUANGFENG, NOW, SealWorld
from tests.stacks.postgres import PostgresServer
from tests.unit.seal.sealing_room import p256, sm2, suites

MAKER = "seal_maker"
FURTHER = {"seal": (MAKER,)}
PASSWORDS = {role: f"test word of {role}" for role in (*roles_of("seal"), MAKER)}


@dataclass
class Sides:
    """The database as each of its roles reaches it."""

    admin: str

    def dsn(self, role: str) -> str:
        return dsn_for(self.admin, database="seal", user=role, password=PASSWORDS[role])

    async def may(self, role: str, statement: str) -> bool:
        connection = await asyncpg.connect(self.dsn(role))
        try:
            await connection.execute("begin")  # and nothing is kept
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            return False
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError):
            return True
        finally:
            await connection.close()
        return True


@pytest.fixture
async def sides(postgres_server: PostgresServer) -> AsyncIterator[Sides]:
    admin = postgres_server.admin_dsn
    made = Sides(admin)
    await provision(admin, ["seal"], PASSWORDS, FURTHER)
    await migrate("seal", made.dsn("seal_migrator"))
    yield made
    connection = await asyncpg.connect(admin)
    await connection.execute("drop database if exists seal with (force)")
    for role in PASSWORDS:
        await connection.execute(f"drop role if exists {role}")
    await connection.close()


async def make_as(world: SealWorld, sides: Sides, role: str) -> tuple[str, ...]:
    database = await Database.open(
        sides.dsn(role), now=world.clock, write_events=outbox_writer("//tongban/seal")
    )
    try:
        unit = StoreUnit(database, None, suites(), world.workshop.maker_key)
        made = (await make_seals(unit, world.workshop, AUTHORITIES, NOW)).made
        await issue_lists(unit, world.workshop, NOW)
    finally:
        await database.close()
    return made


@pytest.fixture
async def signing(world: SealWorld, sides: Sides) -> AsyncIterator[SealWorld]:
    """The signing side, served by its own role, with its keys requested."""
    database = await Database.open(
        sides.dsn("seal_app"), now=world.clock, write_events=outbox_writer("//tongban/seal")
    )
    side = replace(world, dsn=sides.dsn("seal_app"), database=database)
    await request_keys(side.unit, sm2(), side.signer, AUTHORITIES, NOW, p256())
    yield side
    await database.close()


async def test_the_maker_makes_what_the_signing_side_then_uses(signing, sides):
    assert len(await make_as(signing, sides, MAKER)) == len(AUTHORITIES)
    await signing.deliver()
    assert await signing.sealed()


async def test_the_signing_side_cannot_make_a_seal(signing, sides):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await make_as(signing, sides, "seal_app")


@pytest.mark.parametrize("again", [False, True], ids=["migrated", "provisioned anew"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into seal select * from seal",
        "delete from seal",
        "update seal set ses_seal = ''",
        "update seal set certificate = ''",
        "update seal set valid_until = now()",
        "insert into trust_certificate values ('x', 'anchor', '', now())",
        "update trust_certificate set certificate = ''",
        "insert into signed_list values ('x', 1, 'crl', '', now(), now())",
        "update signed_list set data = ''",
        "delete from signed_list",
        "update signer_key set public_key = ''",
        "delete from seal_use",
        "delete from seal_use_detail",
        "update seal_use_detail set day_uses = 0",
        "update seal_grant set grantee = 'x'",
        "delete from seal_grant_withdrawal",
        "update seal_rule set quorum = 0",
        "delete from seal_approval",
        "update seal_history set status = 'active'",
        "insert into seal_credential (seal_id) values ('x')",
        "update seal set maker_signature = ''",
        "update seal set filing_number = 'x'",
        "update seal_history set maker_signature = ''",
        "insert into maker_letter_key values ('x', '', '', now())",
        "update seal_application set owner_code = 'x'",
        "update seal_application set applied_by = 'x'",
        "delete from seal_application",
        "update application_certificate set certificate = ''",
        "update alembic_version set version_num = '9'",
        "select own_grants()",
    ],
)
async def test_the_signing_side_may_not_write_what_the_maker_does(sides, statement, again):
    if again:
        await provision(sides.admin, ["seal"], PASSWORDS, FURTHER)
    assert not await sides.may("seal_app", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select wrapped_key from signer_key",
        "select * from signer_key",
        "insert into signer_key (owner_code) values ('x')",
        "select particulars from seal_application",
        "insert into seal_application (owner_code) values ('x')",
        "update seal_application set status = 'approved'",
        "insert into application_certificate (suite) values ('x')",
        "update seal_history set status = 'active'",
        "update seal set owner_code = 'x'",
        "update signer_key set wrapped_key = ''",
        "select ofd from sealed_document",
        "insert into sealed_document select * from sealed_document",
        "select * from seal_use",
        "select * from seal_use_detail",
        "insert into seal_grant select * from seal_grant",
        "insert into seal_rule select * from seal_rule",
        "insert into seal_approval select * from seal_approval",
        "insert into seal_use (sequence) values (1)",
        "select * from ledger_head",
        "update ledger_head set sequence = 0",
        "select payload from event_log",
        "delete from event_log",
        "select * from inbox",
        "select * from dead_letter",
        "update seal set ses_seal = ''",
        "delete from seal",
        "update signed_list set data = ''",
        "create table mine (id int)",
    ],
)
async def test_the_maker_touches_nothing_of_signing(sides, statement):
    assert not await sides.may(MAKER, statement)


async def test_the_maker_reads_the_requests_and_the_signing_side_suspends_a_seal(sides):
    assert await sides.may(MAKER, "select key_id, owner_code, public_key, proof from signer_key")
    assert await sides.may("seal_app", "update seal set status = 'suspended', since = now(), version = 2")
    assert await sides.may(
        "seal_app", f"select wrapped_key from signer_key where owner_code = '{GUANGFENG.code}'"
    )


async def test_without_its_own_grants_the_maker_role_may_nothing(sides):
    await migrate("seal", sides.dsn("seal_migrator"), revision="0001", down=True)
    assert not await sides.may(MAKER, "select seal_id from seal")
    assert await sides.may("seal_app", "delete from signed_list")
    await migrate("seal", sides.dsn("seal_migrator"))
    assert await sides.may(MAKER, "select seal_id from seal")
