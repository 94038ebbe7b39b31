"""What no method could take is refused before any runs: texts with a NUL, messages over the limit."""

from __future__ import annotations

import pytest

from chassis.errors import Fault
from tests.contract.rpc.test_calls import servicer_of


async def test_texts_that_no_database_keeps_are_named_before_anything_runs(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("department", "361103-market")
    request = stubs.messages.ChangeCountRequest(request_id="\0")
    with pytest.raises(Fault) as met:
        await channel.call(running.stub(channel).ChangeCount, request)
    assert [(v.field_path, v.reason.code) for v in met.value.violations] == [
        ("request_id", "FIELD_MALFORMED")
    ]


async def test_a_message_over_the_limit_is_told_from_too_many_requests(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("service", "intake")
    with pytest.raises(Fault) as met:
        await channel.call(
            running.stub(channel).EchoText, stubs.messages.EchoTextRequest(text="x" * 9_000_000)
        )
    assert (met.value.code, met.value.metadata["limit_bytes"]) == ("BODY_TOO_LARGE", str(8 * 1024 * 1024))
