"""A hundred callers at once while keys rotate and the signer is killed again and again.

No wrong signature, no use without a row in the ledger; whoever was refused with UNAVAILABLE succeeds by repeating.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import gmssl_pyx
import pytest

from cli.keeping import key_files
from services.seal.app.rewrapping import count_keystore, rewrap_keystore
from services.seal.clients import RemoteSigner
from services.seal.consumers import handlers
from services.seal.domain.ledger import signature_id_of
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.request_keys import request_keys
from tests.integration.seal.conftest import AUTHORITIES, SealWorld
from tests.integration.seal.crowd_room import (
    CALLERS,
    KILLS,
    Tally,
    judged_by_others,
    keep_killing,
    until_done,
)
from tests.integration.seal.signer_room import signer_process
from tests.unit.seal.sealing_room import p256, sm2, suites

pytestmark = [pytest.mark.timeout(600)]


@pytest.fixture
async def crowd() -> AsyncIterator[None]:
    """As many threads as callers, so that all wait for the signer at once."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(CALLERS + 20) as pool:
        loop.set_default_executor(pool)
        yield


async def test_a_hundred_callers_of_the_signer_while_keys_rotate_and_it_is_killed(crowd: None) -> None:
    with signer_process() as running, contextlib.closing(RemoteSigner(running.socket, suites())) as signer:
        names = [("SM2-SM3", f"k{n}") for n in range(3)] + [
            ("ECDSA-P256-SHA256", f"k{n}") for n in range(3, 6)
        ]
        made = {key_id: (name, signer.generate(name, key_id)) for name, key_id in names}
        wrapped = {key_id: key.wrapped_key for key_id, (_, key) in made.items()}
        tally, total, rotations = Tally(), CALLERS * 8, 0
        over = asyncio.Event()

        async def call(number: int) -> None:
            key_id = f"k{number % len(made)}"
            name, key = made[key_id]
            suite = suites().by_name(name)
            assert suite is not None
            for turn in range(total // CALLERS):
                message = f"{number} {turn}".encode() * 50

                async def sign(message: bytes = message) -> None:
                    opened = signer.open(name, key_id, wrapped[key_id], key.public_key)
                    signature = await asyncio.to_thread(opened.sign, message)
                    assert suite.verify(key.public_key, signature, message)
                    if name == sm2().name:  # another implementation agrees
                        assert gmssl_pyx.sm2_verify(key.public_key[-64:], message, signature)

                await until_done(sign, tally)

        async def rotate() -> int:
            count = 0
            while not over.is_set():
                key_files.rotate_secret(running.secret)
                for key_id in made:

                    async def again(key_id: str = key_id) -> None:
                        wrapped[key_id] = await asyncio.to_thread(signer.rewrap, key_id, wrapped[key_id])

                    await until_done(again, Tally())
                count += 1
                await asyncio.sleep(0.2)
            return count

        rotating = asyncio.create_task(rotate())
        killing = asyncio.create_task(keep_killing(running, tally, total))
        await asyncio.gather(*(call(number) for number in range(CALLERS)))
        assert await killing == KILLS
        over.set()
        rotations = await rotating
        assert (tally.done, rotations > 1) == (total, True)
        assert set(tally.refused) == {"SIGNER_UNAVAILABLE"}


async def test_a_hundred_sealings_at_once_each_stand_in_the_ledger(world: SealWorld, crowd: None) -> None:
    with signer_process() as running, contextlib.closing(RemoteSigner(running.socket, suites())) as signer:
        world.signer = signer  # type: ignore[assignment]
        await request_keys(world.unit, sm2(), signer, AUTHORITIES, world.clock(), p256())
        await world.make()
        cabinet = Cabinet(sm2(), signer, world.timekeeping)
        world.handler = handlers(world.unit, world.unit.work, cabinet, world.documents)[0]
        licences = [f"licence-{number}" for number in range(CALLERS)]
        tally, over = Tally(), asyncio.Event()

        async def rotate() -> int:
            count = 0
            while not over.is_set():
                key_files.rotate_secret(running.secret)

                async def again() -> None:
                    await rewrap_keystore(world.database, signer)
                    assert (await count_keystore(world.database, signer))[1] == 0

                await until_done(again, Tally())
                key_files.retire_secrets(running.secret)
                count += 1
                await asyncio.sleep(0.5)
            return count

        rotating = asyncio.create_task(rotate())
        killing = asyncio.create_task(keep_killing(running, tally, CALLERS))
        await asyncio.gather(*(until_done(lambda each=each: world.deliver(each), tally) for each in licences))
        await killing
        over.set()
        assert await rotating > 0
        known = {
            "SIGNER_UNAVAILABLE",
            "KEY_REWRAPPED",
            "PEER_UNAVAILABLE",
        }  # the last: no connection of the pool was free
        assert set(tally.refused) <= known
        assert tally.refused["SIGNER_UNAVAILABLE"] > 0

        await assert_each_stands_once(world, licences)


async def assert_each_stands_once(world: SealWorld, licences: list[str]) -> None:
    """Every kept document holds one sound signature, and exactly its row is in the ledger."""
    rows = await world.rows("select signature_id::text as id, outcome, signature_sm3 from seal_use")
    assert {row["outcome"] for row in rows} == {"sealed"}
    ledger = {row["id"]: row["signature_sm3"] for row in rows}
    assert len(rows) == len(ledger) == len(licences)
    for licence_id in licences:
        assert ledger[signature_id_of(licence_id)] == judged_by_others(await world.sealed(licence_id))
    for licence_id in licences[::10]:
        report = await world.verify(await world.sealed(licence_id))
        (signature,) = report.signatures
        results = {check.name.value: check.result.value for check in signature.checks}
        assert results["signature"] == "valid"
