"""The described interface holds: whatever is sent, nothing fails inside, and answers are as described."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.web import bind, serve_web
from tests.integration.intake.stage import Stage, card, key, open_stage
from tests.stacks.postgres import PostgresServer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 20
LEAVING = "/v1/sessions/current"


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def test_nothing_that_is_sent_fails_inside(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    listener, stop = bind("127.0.0.1", 0), asyncio.Event()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    served = asyncio.create_task(serve_web(stage.app, "127.0.0.1", 0, stop, listener=listener))
    try:
        tried = await asyncio.to_thread(explore, address, entered)
    finally:
        stop.set()
        await served
    assert sum(tried.values()) >= 25 * EXAMPLES / 2
    assert {200, 400, 404} <= tried.keys()


def explore(address: str, entered: dict[str, str]) -> Counter[int]:
    """Send generated requests to every operation but the one that ends the session; count the answers."""
    answers: Counter[int] = Counter()
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]

    for operation in operations:
        if operation.path == LEAVING:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: schemathesis.Case) -> None:
            response = case.call(headers=entered | key(), timeout=20)
            answers[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        send()
    return answers
