"""Where the real code meets the machine: clock, chance, ids and connections are the world's while a run lasts."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import structlog
import uuid_utils
import uuid_utils.compat

import chassis.db
import chassis.inbox
import chassis.notifier
import chassis.relay
import chassis.traceparent
import services.intake.rpc.part
import services.intake.usecases.cases.submitting
from tests.simulator.database.connection import Connection
from tests.simulator.database.engine import Server
from tests.simulator.world import World

_TIMED = (chassis.db, chassis.inbox, chassis.relay, services.intake.rpc.part)
_SECRET = (chassis.traceparent, services.intake.usecases.cases.submitting)


@contextmanager
def at_seams(world: World, servers: Callable[[str], Server]) -> Iterator[None]:
    """Have the code of the services run in ``world`` for the length of the block; logs are off."""

    async def connect_alone(dsn: str, name: str, *, answer_seconds: float) -> Connection:
        del answer_seconds
        await world.travel("connect", name)
        return Connection(servers(dsn), name)

    clock = SimpleNamespace(monotonic=world.loop.time, perf_counter=world.loop.time)
    secrets = SimpleNamespace(randbits=world.chance.getrandbits, token_hex=lambda size: f"{size:032x}")
    state, logging_of = random.getstate(), structlog.get_config()
    with ExitStack() as stack:
        stack.callback(random.setstate, state)
        stack.callback(lambda: structlog.configure(**logging_of))
        random.seed(world.seed)
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
            cache_logger_on_first_use=False,
        )
        for module in _TIMED:
            stack.enter_context(patch.object(module, "time", clock))
        for module in _SECRET:
            stack.enter_context(patch.object(module, "secrets", secrets))
        for module in (chassis.relay, chassis.notifier):
            stack.enter_context(patch.object(module, "connect_alone", connect_alone))
        for library in (uuid_utils, uuid_utils.compat):
            stack.enter_context(patch.object(library, "uuid7", world.new_id))
        yield


def timed_by(world: World, module: Any) -> Any:
    """Return what gives a module the world's monotonic clock for a block."""
    return patch.object(
        module, "time", SimpleNamespace(monotonic=world.loop.time, perf_counter=world.loop.time)
    )
