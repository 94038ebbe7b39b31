"""One step with every registry: who fails holds up nobody else."""

from __future__ import annotations

import asyncio

import pytest

from chassis.errors import PEER_UNAVAILABLE, Fault
from services.certs.app.each_peer import of_each
from services.certs.domain.federation import Agreement, Federation, PeerRegistry

IDS = ("361100-city", "361123-county", "422827-county")
FEDERATION = Federation(
    "360000-province", {each: Agreement(PeerRegistry(each, "", "", {}, {}, "")) for each in IDS}
)


async def test_the_others_go_on_when_one_fails_and_none_waits_for_another() -> None:
    last_came = asyncio.Event()
    failed: list[tuple[str, str]] = []

    async def step(agreement: Agreement) -> bool:
        if agreement.registry_id == IDS[0]:
            raise ValueError(agreement.registry_id)
        if agreement.registry_id == IDS[1]:
            await last_came.wait()
            return True
        last_came.set()
        return False

    more = await of_each(FEDERATION, step, lambda name, problem: failed.append((name, repr(problem))))
    assert more
    assert failed == [(IDS[0], f"ValueError('{IDS[0]}')")]


async def test_an_outage_of_all_is_our_own_and_raised_a_fault_of_all_is_not() -> None:
    async def away(_: Agreement) -> bool:
        raise PEER_UNAVAILABLE(peer="database")

    async def wrong(_: Agreement) -> bool:
        raise TypeError

    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await of_each(FEDERATION, away, lambda *_: None)
    assert not await of_each(FEDERATION, wrong, lambda *_: None)
    assert not await of_each(Federation("360000-province"), wrong, lambda *_: None)
