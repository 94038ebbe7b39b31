"""F7 on the whole stack: the broker's disk is lost, an empty cluster takes its place, the outboxes fill it again."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chassis.bus import BusConfig
from chassis.bus.kafka.consumer import METADATA_SECONDS, REBALANCE_SECONDS
from chassis.relay import CLUSTER_CHECK_SECONDS
from cli.local.kafka import RunningKafka, start_kafka
from tests.chaos.freezing import frozen
from tests.chaos.ground import CALLER_SECONDS, MARGIN_SECONDS, Ground, tell, working
from tests.stacks.local import ROOT, local_stack
from tests.stacks.settling import rows

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.kafka,
    pytest.mark.timeout(1800),
]
STILL_SECONDS = (3.0, 5.0)
DRAINING_SECONDS = 180.0
BUS = BusConfig("kafka", "")
NOTICE_SECONDS = (
    BUS.append_timeout_seconds
    + CLUSTER_CHECK_SECONDS
    + METADATA_SECONDS
    + BUS.session_seconds
    + REBALANCE_SECONDS
    + DRAINING_SECONDS
)
"""At worst one after the other: a relay gives a batch up, asks the bus who it is; a group learns of the topics
made again, misses a member, waits for the others; then the outboxes' window goes over the bus once more: beside
another whole stack that was not over after 155 s."""


@pytest.mark.promise("P2", "P14")
async def test_a_lost_broker_is_rebuilt_from_the_outboxes_without_a_second_text(
    private_kafka: RunningKafka, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    seed = seeds.start
    async with local_stack("kafka", private_kafka.bootstrap) as stack, working(stack, seed) as ground:
        await stand_still(ground, private_kafka, seed, record_property)
        rng = random.Random(f"broker/{seed}")
        directory = Path(tempfile.mkdtemp(prefix="tbkafka"))
        replacement: RunningKafka | None = None
        try:
            ground.calls.clear()
            async with ground.under_load(seed):
                await asyncio.sleep(rng.uniform(1.0, 2.0))
                texts, began = await sent_texts(ground), time.monotonic()
                await asyncio.to_thread(private_kafka.kill)
                await asyncio.sleep(rng.uniform(0.5, 1.5))
                port = int(private_kafka.bootstrap.rpartition(":")[2])
                replacement = await asyncio.to_thread(lambda: start_kafka(directory, port=port))
                await make_topics(ground)
            verdict = await ground.verdict(NOTICE_SECONDS)
            rebuilt = time.monotonic() - began
            told = tell("broker_lost", seed, ground, verdict, texts_before=texts, rebuilt=rebuilt)
            record_property("measured", f"empty cluster filled and drained {rebuilt:.1f} s after the loss")
            verdict.assert_sound(told)
            assert texts > 0, told
            assert ground.calls.longest_seconds < CALLER_SECONDS + MARGIN_SECONDS, told
        finally:
            if replacement is not None:
                replacement.stop()
            shutil.rmtree(directory, ignore_errors=True)


async def stand_still(
    ground: Ground, broker: RunningKafka, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """SIGSTOP the broker under load: no call waits for it, the events go out afterwards."""
    still = random.Random(f"kafka/{seed}").uniform(*STILL_SECONDS)
    async with ground.under_load(seed):
        await asyncio.sleep(0.5)
        before = ground.cases
        async with frozen(broker.pid):
            await asyncio.sleep(still)
            done = ground.cases - before
    verdict = await ground.verdict()
    told = tell("broker_lost stopped", seed, ground, verdict, still=still, cases_meanwhile=done)
    record_property(
        "measured",
        f"Kafka stopped {still:.1f} s: {done} cases approved meanwhile, longest call {ground.calls.longest_seconds:.1f} s",
    )
    verdict.assert_sound(told)
    assert done > 0, f"case work waited for the broker: {told}"


async def sent_texts(ground: Ground) -> int:
    """Return how many texts the provider took over so far."""
    return int((await rows(ground.stack.dsn("notify"), "select count(*) from sandbox_sms"))[0][0])


async def make_topics(ground: Ground) -> None:
    """Run the preparation job again, as an operator does on a new cluster."""
    bootstrap = ground.stack.state.kafka_bootstrap
    assert bootstrap is not None
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.local.prepare", str(ground.stack.layout.home), "kafka", bootstrap, cwd=ROOT
    )
    assert await process.wait() == 0
