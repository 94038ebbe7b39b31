"""Short messages over two gateways: handed over in time, and accepted once for each id, whatever fails."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chassis.clock import system_clock
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from cli.local.authority import Authority, open_authority
from services.notify.app import worker
from services.notify.usecases.deliver import Carriage
from tests.integration.notify.gateway import FakeGateway, provider, serving
from tests.integration.notify.stage import Notify, by, open_notify

PER_SECOND, MESSAGES = 50, 150
WITHIN_SECONDS, SHARE = 10.0, 0.95
FAILOVER_SECONDS = 30.0


@dataclass
class Run:
    """Two gateways and the messages accepted by us, each with its moment."""

    notify: Notify
    primary: FakeGateway
    secondary: FakeGateway
    carriage: Carriage
    created: dict[str, float] = field(default_factory=dict)

    async def accept_all(self, wake: Callable[[], None] = lambda: None) -> None:
        """Accept messages at a steady rate."""
        began = time.time()
        for number in range(MESSAGES):
            message_id = await self.notify.accept(f"event:{number}", f"199{number:08d}")
            self.created[str(message_id)] = time.time()
            wake()
            await asyncio.sleep(max(0.0, began + (number + 1) / PER_SECOND - time.time()))

    def accepted(self) -> dict[str, list[float]]:
        """Return every acceptance of each id, at either gateway."""
        both = (self.primary.accepted, self.secondary.accepted)
        return {key: [at for each in both for at in each.get(key, [])] for key in self.created}

    def handed_over(self) -> list[float]:
        """Return the seconds from our acceptance to the gateway's, sorted."""
        return sorted(max(0.0, min(at) - self.created[key]) for key, at in self.accepted().items() if at)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def prepared(dsn: str, authority: Authority, primary: FakeGateway) -> AsyncIterator[Run]:
    secondary = FakeGateway()
    async with (
        open_notify(dsn, system_clock) as notify,  # type: ignore[arg-type]
        serving(primary, authority) as first,
        serving(secondary, authority) as second,
    ):
        file = str(authority.root_file)
        carriage = by(provider("primary", first, file), provider("secondary", second, file))
        yield Run(notify, primary, secondary, carriage)


async def work_until(run: Run, done: Callable[[], bool], seconds: float = 40.0) -> None:
    """Work as the service does, until everything is handed over."""

    stop, bell = asyncio.Event(), asyncio.Event()
    serving_part = worker(run.notify.unit, run.notify.clock, run.carriage, bell)
    working = asyncio.create_task(serving_part.run(stop))
    try:
        async with asyncio.timeout(seconds):
            await run.accept_all(bell.set)
            while not done() or await left(run):
                await asyncio.sleep(0.1)
    finally:
        stop.set()
        await working


async def left(run: Run) -> int:
    """Return how many messages are not in a final state."""
    async with run.notify.database.transaction() as tx:
        return int(await tx.fetchval("select count(*) from message where next_attempt_at is not null"))


def judge(run: Run, record_property: Callable[[str, object], None], what: str) -> None:
    """Hold the run against the promise."""
    doubled = {key: len(at) for key, at in run.accepted().items() if len(at) != 1}
    assert doubled == {}, "each id is accepted exactly once"
    times = run.handed_over()
    share = sum(each <= WITHIN_SECONDS for each in times) / len(times)
    p95 = times[int(SHARE * len(times))]
    record_property(
        "measured",
        f"{what}: {len(times)} messages at {PER_SECOND}/s, {share:.1%} within {WITHIN_SECONDS:.0f} s,"
        f" median {statistics.median(times):.2f} s, p95 {p95:.2f} s, most {times[-1]:.2f} s, each accepted once",
    )
    assert share >= SHARE


@pytest.mark.promise("P11")
@pytest.mark.parametrize(
    ("what", "primary"),
    [
        ("primary refuses 1 %", FakeGateway(fails=0.01)),
        ("primary refuses 30 % and breaks 10 %", FakeGateway(fails=0.3, breaks=0.1)),
        ("primary refuses everything", FakeGateway(fails=1.0)),
        ("primary is slow", FakeGateway(slow_seconds=2.5)),
        ("primary takes 30 % and stays silent", FakeGateway(silent=0.3)),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
async def test_messages_reach_a_gateway_in_time_and_once(
    fresh_database, authority: Authority, record_property, what: str, primary: FakeGateway
) -> None:
    async with prepared(await fresh_database(), authority, primary) as run:
        await work_until(run, lambda: len(run.created) == MESSAGES)
        judge(run, record_property, what)
        if primary.fails == 1.0:
            assert run.handed_over()[-1] <= FAILOVER_SECONDS
            assert primary.calls < MESSAGES / 2, "a gateway that fails rests"
        if primary.slow_seconds:
            known = run.secondary.calls  # however many were on their way before the first slow answer came
            await run.notify.accept("event:later")
            await run.notify.deliver(run.carriage)
            assert run.secondary.calls == known + 1, "a slow gateway goes behind"


@pytest.mark.promise("P11")
async def test_a_gateway_that_cannot_be_reached_is_passed_over_at_once(
    fresh_database, authority: Authority, record_property
) -> None:
    async with prepared(await fresh_database(), authority, FakeGateway()) as run:
        nobody = provider("primary", 1, str(authority.root_file))
        run.carriage = by(nobody, run.carriage.providers["secondary"])
        await work_until(run, lambda: len(run.secondary.accepted) == MESSAGES)
        judge(run, record_property, "nobody listens at the primary")


async def test_a_message_of_unknown_fate_waits_for_its_gateway_and_goes_to_no_other(
    fresh_database, authority: Authority
) -> None:
    """Here the gateway took it, and answers neither the call nor the question for a while."""
    primary = FakeGateway(silent=1.0, asked_nothing=True)
    async with prepared(await fresh_database(), authority, primary) as run:
        message_id = await run.notify.accept("event:1")
        await run.notify.deliver(run.carriage)
        for _ in range(2):
            await run.notify.database_execute("update message set next_attempt_at = now() where attempts > 0")
            await run.notify.deliver(run.carriage)
        assert run.secondary.calls == 0
        assert primary.calls == 1
        primary.asked_nothing = False
        await run.notify.database_execute("update message set next_attempt_at = now()")
        await run.notify.deliver(run.carriage)
        assert (await run.notify.state(message_id)).value == "sent"
        assert (run.secondary.calls, primary.calls) == (0, 1)


@pytest.mark.promise("P11")
async def test_a_killed_worker_leaves_no_message_unsent_and_none_sent_twice(
    fresh_database, authority: Authority, record_property, tmp_path: Path
) -> None:
    keyring = tmp_path / "keyring.json"
    keyring.write_text(new_keyring(system_clock()))
    dsn = await fresh_database()
    primary, secondary = FakeGateway(silent=0.02), FakeGateway()
    async with (
        open_notify(dsn, system_clock) as notify,  # type: ignore[arg-type]
        serving(primary, authority) as first,
        serving(secondary, authority) as second,
    ):
        notify.cipher = FieldCipher(parse_keyring(keyring.read_text()), service="notify")
        run = Run(notify, primary, secondary, by())
        arguments = [dsn, str(keyring), str(authority.root_file), str(first), str(second)]

        async def start() -> asyncio.subprocess.Process:
            module = "tests.integration.notify.sms_worker"
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
            )

        workers = [await start(), await start()]
        for each in workers:
            assert each.stdout is not None
            assert await each.stdout.readline() == b"ready\n"
        accepting = asyncio.create_task(run.accept_all())
        try:
            async with asyncio.timeout(55):
                while len(primary.accepted) < MESSAGES // 3:
                    await asyncio.sleep(0.02)
                workers[0].kill()  # in the midst of its messages
                await accepting
                while await left(run):
                    await asyncio.sleep(0.2)
        finally:
            for each in workers:
                with suppress(ProcessLookupError):
                    each.kill()
                await each.wait()
        judge(run, record_property, "one of two workers killed")
