"""What an issuer does with its licences, with everything a call needs filled in."""

from __future__ import annotations

import uuid
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault
from services.certs.app.life import inspections_step, orders_step, retention_step
from services.certs.rpc.life import LicenceLifeServicer
from tests.integration.certs.conftest import MARKET, World
from tests.integration.certs.test_issuing import Issuing
from tongban.certs.v1 import licence_life_pb2 as life

LIVING = "select count(*) from licence where status = 'valid' and lineage_id = (select lineage_id from licence where licence_id = $1)"


class Desk:
    """What an issuer does, with everything a call needs filled in."""

    def __init__(self, world: World) -> None:
        self.world, self.rpc, self.issuing = world, LicenceLifeServicer(world.desk), Issuing(world)

    async def row(self, licence_id: str) -> asyncpg.Record:
        async with self.world.database.transaction() as tx:
            found = await tx.fetchrow("select * from licence where licence_id = $1", uuid.UUID(licence_id))
        assert found is not None
        return found

    async def etag(self, licence_id: str) -> str:
        return f'"{(await self.row(licence_id))["version"]}"'

    async def status(self, licence_id: str) -> str:
        return str((await self.row(licence_id))["status"])

    async def ask(self, kind: type, licence_id: str, *, by: str = MARKET, **given: object):
        fields = {
            "request_id": str(uuid.uuid4()),
            "licence_id": licence_id,
            "etag": await self.etag(licence_id),
            "decision": decision(),
        }
        request = kind(**(fields | given))
        method = getattr(self.rpc, kind.__name__.removesuffix("Request"))
        with self.world.as_department(by):
            return await method(request, None)

    async def order(self, licence_id: str, act: int, at: datetime | None = None, **given: object):
        if at is not None:
            given["effective_at"] = moment(at)
        return await self.ask(life.OrderLicenceActRequest, licence_id, act=act, **given)

    async def change(self, licence_id: str, **given: object) -> str:
        given = given or {"face": {"KZ_JYZMC": "丰小玉大饭店"}}
        return str((await self.ask(life.ChangeLicenceRequest, licence_id, **given)).licence.licence_id)

    async def copy(self, licence_id: str) -> str:
        return str((await self.ask(life.MakeLicenceCopyRequest, licence_id)).licence.licence_id)

    async def in_force(self, **changed: object) -> str:
        part_id = str(uuid.uuid4())
        licence_id = await self.issuing.approve(self.world.citizen(), part_id, **changed)
        await self.issuing.seal(licence_id)
        return licence_id

    async def sweep(self) -> None:
        """Do once what the service does by itself."""
        desk = self.world.desk
        runtime: Any = SimpleNamespace(database=desk.database, clock=desk.clock)
        await orders_step(runtime, desk.registry_of)()
        while await inspections_step(runtime, desk.registry_of, desk.types)():
            pass
        files: Any = desk.documents
        await retention_step(runtime, desk.registry_of, desk.types, files)()

    async def history(self, licence_id: str):
        desk = self.world.desk
        async with desk.database.transaction() as tx:
            registry = desk.registry_of(tx)
            licence = await registry.licences.get(licence_id)
            assert licence is not None
            return licence, await registry.life.orders.history(licence)


def decision(**changed: str) -> life.Decision:
    given = {
        "reason": "监督检查",
        "basis_document": "饶广市监决字〔2026〕7号",
        "operator": "36110301Z1",
        "second_person": "36110302Z1",
    }
    return life.Decision(**(given | changed))


def moment(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


async def refused(work) -> Fault:
    with pytest.raises(Fault) as found:
        await work
    return found.value
