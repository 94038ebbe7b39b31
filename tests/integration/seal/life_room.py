"""Applications in a `SealWorld`: applied for, decided and made. Not a test module."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.seal.domain.application import Application, ApplicationStatus, Verdict, Wish
from services.seal.domain.kinds import SealKind
from services.seal.domain.register import RegisteredSeal
from services.seal.usecases.applications import (
    Office,
    apply_for_seal,
    decide_application,
    withdraw_application,
)
from services.seal.usecases.issue_lists import issue_lists
from services.seal.usecases.make_seals import Making, make_seals
from tests.integration.seal.conftest import GUANGFENG, SealWorld
from tests.unit.seal.sealing_room import p256, sm2

APPROVED, REJECTED = ApplicationStatus.APPROVED, ApplicationStatus.REJECTED
WISH = Wish(
    kind=SealKind.FINANCE,
    owner_code=GUANGFENG.code,
    owner_name=GUANGFENG.name,
    division=GUANGFENG.division,
    name=GUANGFENG.name,
    reason="财务收费需要",
    operator="张三",
    account="operator/local",
)
PERSON = "欧阳未名"
PERSONAL = replace(WISH, kind=SealKind.PERSONAL, name=PERSON, reason="审批人员名章")


async def apply(world: SealWorld, wish: Wish = WISH, **changed: object) -> Application:
    async with world.unit() as work:
        return await apply_for_seal(work, replace(wish, **changed), world.clock)  # type: ignore[arg-type]


async def decide(
    world: SealWorld, application: Application, status: ApplicationStatus = APPROVED, operator: str = "李四"
) -> Application:
    office = Office((sm2(), p256()), world.signer)
    verdict = Verdict(status, "同意" if status is APPROVED else "不符合条件", operator, "operator/second")
    async with world.unit() as work:
        return await decide_application(
            work, office, application.application_id, application.etag, verdict, world.clock
        )


async def withdraw(world: SealWorld, application: Application) -> Application:
    verdict = Verdict(ApplicationStatus.WITHDRAWN, "不再需要", "张三", "operator/local")
    async with world.unit() as work:
        return await withdraw_application(
            work, application.application_id, application.etag, verdict, world.clock
        )


async def run_maker(world: SealWorld) -> Making:
    making = await make_seals(world.maker_unit, world.workshop, [], world.clock())
    await issue_lists(world.maker_unit, world.workshop, world.clock())
    world.clock.at += timedelta(minutes=1)
    return making


async def made(world: SealWorld, wish: Wish = WISH, **changed: object) -> RegisteredSeal:
    """The seal of an application that went all the way."""
    await decide(world, await apply(world, wish, **changed))
    (seal_id,) = (await run_maker(world)).made
    return await seal(world, seal_id)


async def seal(world: SealWorld, seal_id: str) -> RegisteredSeal:
    async with world.unit() as work:
        found = await work.seals.get(seal_id)
    assert found is not None
    return found


async def read(world: SealWorld, application: Application) -> Application:
    async with world.unit() as work:
        found = await work.applications.get(application.application_id)
    assert found is not None
    return found
