"""What every call over the chassis keeps, on real mutual TLS."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry import trace

from chassis import errors
from chassis.errors import Fault, Kind, declare, refuse
from chassis.readiness import Readiness
from chassis.rpc.call import Caller, caller, calling
from chassis.rpc.channel import open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer, ServerLimits, serve
from chassis.web import bind

TEST_LOCKED = declare("TEST_LOCKED", Kind.FAILED_PRECONDITION, "{seal} 已被锁定", "{seal} is locked")


def servicer_of(stubs: Any, **methods: Any) -> Any:
    """Return a servicer whose methods are the given functions."""
    plain = {
        "EchoText": echo_text,
        "WatchCounts": watch_counts,
        "ImportRows": import_rows,
        "OperateAll": nothing,
    }
    both = {"ReadOwn": nothing, "ChangeCount": nothing} | plain | methods
    bound = {name: _bound(function, stubs.messages) for name, function in both.items()}
    return type("Probe", (stubs.services.ProbeServiceServicer,), bound)()


def _bound(function: Any, messages: Any) -> Any:
    import inspect

    if inspect.isasyncgenfunction(function):

        async def stream(_self: object, request: Any, context: Any) -> Any:
            async for part in function(messages, request, context):
                yield part

        return stream

    async def single(_self: object, request: Any, context: Any) -> Any:
        return await function(messages, request, context)

    return single


async def echo_text(messages: Any, request: Any, _context: Any) -> Any:
    return messages.EchoTextResponse(text=request.text)


async def nothing(messages: Any, request: Any, _context: Any) -> Any:
    return getattr(messages, type(request).__name__.replace("Request", "Response"))()


async def watch_counts(messages: Any, request: Any, _context: Any) -> Any:
    for count in range(request.until):
        yield messages.WatchCountsResponse(count=count)
    if request.fail:
        raise TEST_LOCKED(seal="S-1")


async def import_rows(messages: Any, requests: Any, _context: Any) -> Any:
    async for request in requests:
        yield messages.ImportRowsResponse(row=request.row.upper())


PEERS = [
    ("service", "intake"),
    ("service", "certs"),
    ("service", "seal"),
    ("department", "361103-market"),
    ("operator", "admin"),
    ("terminal", "kiosk-7"),
]
ALLOWED = {
    "EchoText": {("service", "intake"), ("department", "361103-market")},
    "ChangeCount": {("department", "361103-market")},
    "ReadOwn": {("service", "intake"), ("service", "certs")},
    "OperateAll": {("operator", "admin")},
}


@pytest.mark.parametrize("peer", PEERS, ids="/".join)
async def test_only_the_peers_named_in_the_proto_may_call(start, stubs, person, peer) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel(*peer)
    stub = running.stub(channel)
    with calling(Caller(None, person.person, person.token)):
        for method, allowed in ALLOWED.items():
            request = getattr(stubs.messages, f"{method}Request")()
            if method == "ChangeCount":
                request.request_id = str(uuid.uuid4())
            if peer in allowed:
                await channel.call(getattr(stub, method), request)
            else:
                with pytest.raises(Fault, check=lambda fault: fault.code == "NOT_PERMITTED"):
                    await channel.call(getattr(stub, method), request)


async def test_without_a_certificate_there_is_no_connection(start, stubs, authority) -> None:
    running = await start(servicer_of(stubs))
    credentials = grpc.ssl_channel_credentials(authority.root_file.read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{running.port}", credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stubs.services.ProbeServiceStub(channel).EchoText(
                stubs.messages.EchoTextRequest(), timeout=2
            )
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_with_another_name_is_refused(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("service", "intake", limit_seconds=1.0, expect=Peer("service", "seal"))
    with pytest.raises(Fault, check=lambda fault: fault.kind is Kind.UNAVAILABLE):
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())


@pytest.mark.parametrize("token", [None, "", "rubbish", "a.b.c"])
async def test_a_method_for_persons_is_closed_to_a_service_alone(start, stubs, person, token) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("service", "intake")
    with calling(Caller(None, None, token)), pytest.raises(Fault) as refused:
        await channel.call(running.stub(channel).ReadOwn, stubs.messages.ReadOwnRequest())
    assert refused.value.code == "NOT_AUTHENTICATED"


async def test_a_wrong_token_is_refused_even_where_none_is_needed(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("service", "intake")
    with calling(Caller(None, None, "rubbish")), pytest.raises(Fault) as refused:
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    assert refused.value.code == "NOT_AUTHENTICATED"


async def test_person_deadline_and_trace_travel_with_the_call(start, stubs, person) -> None:
    async def read_own(messages: Any, _request: Any, context: Any) -> Any:
        now = caller(context)
        trace_id = trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)
        assert now.peer == Peer("service", "intake")
        return messages.ReadOwnResponse(
            person_id=now.acting().person_id,
            remaining_milliseconds=int(1000 * (now.deadline_remaining_seconds or 0)),
            trace_id=trace_id,
        )

    running = await start(servicer_of(stubs, ReadOwn=read_own))
    channel = running.channel("service", "intake", limit_seconds=30)
    from chassis.traceparent import traced

    with (
        calling(Caller(None, person.person, person.token, time.monotonic() + 2.0)),
        traced("t", None) as trace_id,
    ):
        answer = await channel.call(running.stub(channel).ReadOwn, stubs.messages.ReadOwnRequest())
    assert answer.person_id == "person-1"
    assert answer.trace_id == trace_id
    assert 1000 < answer.remaining_milliseconds < 1950


async def test_no_call_is_made_when_the_caller_has_no_time_left(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("service", "intake")
    with calling(Caller(None, deadline=time.monotonic() + 0.05)), pytest.raises(Fault) as refused:
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    assert refused.value.code == "DEADLINE_PASSED"


async def test_a_slow_method_ends_at_the_deadline_on_both_sides(start, stubs) -> None:
    ended: list[str] = []

    async def slow(_messages: Any, _request: Any, _context: Any) -> Any:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("server")

    running = await start(
        servicer_of(stubs, EchoText=slow), limits=ServerLimits(default_deadline_seconds=0.3)
    )
    channel = running.channel("service", "intake")
    with pytest.raises(Fault) as refused:
        await channel.call(
            running.stub(channel).EchoText, stubs.messages.EchoTextRequest(), timeout_seconds=0.5
        )
    assert refused.value.code == "DEADLINE_PASSED"
    with pytest.raises(grpc.aio.AioRpcError) as by_default:  # a client that names no deadline
        await running.stub(channel).EchoText(stubs.messages.EchoTextRequest())
    assert by_default.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.sleep(0.2)
    assert ended == ["server", "server"]


FAULTS = [
    TEST_LOCKED(seal="S-1"),
    TEST_LOCKED(seal="{odd}", retry_after_seconds=2.5),
    errors.NOT_PERMITTED(),
    errors.ETAG_MISMATCH(),
    errors.REQUEST_ID_REUSED(),
    errors.TOO_MANY_REQUESTS(retry_after_seconds=30.0),
    errors.PEER_UNAVAILABLE(peer="database"),
    errors.Reason("NEVER_DECLARED", Kind.NOT_FOUND, "查无此项", "No such thing")(),
    errors.INVALID_REQUEST(
        violations=[errors.FIELD_REQUIRED.at("name"), errors.FIELD_TOO_LONG.at("rows[3].text", limit=20)]
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
async def test_a_fault_is_the_same_fault_after_the_wire(start, stubs, fault) -> None:
    async def refuse_call(*_: Any) -> Any:
        raise fault

    running = await start(servicer_of(stubs, EchoText=refuse_call))
    channel = running.channel("service", "intake")
    with pytest.raises(Fault) as met:
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    back = met.value
    assert (back.code, back.kind, back.zh, back.en) == (fault.code, fault.kind, fault.zh, fault.en)
    assert back.retry_after_seconds == fault.retry_after_seconds
    assert [(v.field_path, v.reason.code, v.zh, v.en) for v in back.violations] == [
        (v.field_path, v.reason.code, v.zh, v.en) for v in fault.violations
    ]
    assert fault.metadata.items() <= back.metadata.items()
    assert len(back.metadata["trace_id"]) == 32


async def test_the_wrong_fields_of_a_huge_request_still_fit_into_the_trailers(start, stubs) -> None:
    async def refuse_all(*_: Any) -> Any:
        refuse(errors.FIELD_REQUIRED.at(f"rows[{row}].name") for row in range(5000))

    running = await start(servicer_of(stubs, EchoText=refuse_all))
    channel = running.channel("service", "intake")
    with pytest.raises(Fault) as met:
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    assert met.value.code == "INVALID_REQUEST"
    assert len(met.value.violations) + int(met.value.metadata["violations_omitted"]) == 5000


async def test_an_unexpected_error_shows_nothing_but_an_incident(start, stubs) -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("secret inside")

    running = await start(servicer_of(stubs, EchoText=broken))
    channel = running.channel("service", "intake")
    with pytest.raises(Fault) as met:
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    assert met.value.code == "INTERNAL"
    assert met.value.metadata["incident"] in met.value.en
    assert "secret" not in repr(vars(met.value)) + met.value.zh + met.value.en


@pytest.mark.parametrize(
    ("request_id", "code"), [("", "FIELD_REQUIRED"), ("17", "FIELD_MALFORMED"), ("{0}", "FIELD_MALFORMED")]
)
async def test_a_mutating_method_wants_a_request_id(start, stubs, request_id, code) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("department", "361103-market")
    with pytest.raises(Fault) as met:
        await channel.call(
            running.stub(channel).ChangeCount, stubs.messages.ChangeCountRequest(request_id=request_id)
        )
    assert [(v.field_path, v.reason.code) for v in met.value.violations] == [("request_id", code)]


async def test_streams_carry_values_and_then_the_fault(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("department", "361103-market")
    request = stubs.messages.WatchCountsRequest(until=3, fail=True)
    parts = channel.stream(running.stub(channel).WatchCounts, request)
    counts = [(await anext(parts)).count for _ in range(3)]
    with pytest.raises(Fault) as met:
        await anext(parts)
    assert counts == [0, 1, 2]
    assert met.value.en == "S-1 is locked"


async def test_a_stream_both_ways_answers_each_row(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("department", "361103-market")

    async def rows() -> Any:
        for row in "abc":
            yield stubs.messages.ImportRowsRequest(row=row)

    answers = [part.row async for part in channel.exchange(running.stub(channel).ImportRows, rows())]
    assert answers == ["A", "B", "C"]


async def test_the_admission_hook_can_refuse(start, stubs) -> None:
    async def admit(method: Any, call: Caller) -> None:
        assert method.name == "EchoText"
        raise errors.TOO_MANY_REQUESTS(retry_after_seconds=3.0, peer=str(call.peer))

    running = await start(servicer_of(stubs), admit=admit)
    channel = running.channel("service", "intake")
    with pytest.raises(Fault) as met:
        await channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    assert (met.value.code, met.value.retry_after_seconds) == ("TOO_MANY_REQUESTS", 3.0)


async def test_more_calls_than_allowed_are_refused_at_once(start, stubs) -> None:
    async def slow(messages: Any, *_: Any) -> Any:
        await asyncio.sleep(0.3)
        return messages.EchoTextResponse()

    running = await start(servicer_of(stubs, EchoText=slow), limits=ServerLimits(max_concurrent_calls=5))
    channel = running.channel("service", "intake")
    calls = [
        channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest()) for _ in range(20)
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    codes = [answer.code if isinstance(answer, Fault) else "OK" for answer in answers]
    assert set(codes) == {"OK", "TOO_MANY_REQUESTS"}
    assert codes.count("OK") >= 4


async def test_a_drain_is_announced_and_finishes_running_calls(start, stubs) -> None:
    entered = asyncio.Event()

    async def slow(messages: Any, *_: Any) -> Any:
        entered.set()
        await asyncio.sleep(0.6)
        return messages.EchoTextResponse(text="done")

    running = await start(servicer_of(stubs, EchoText=slow))
    channel = running.channel("service", "intake")
    health = health_pb2_grpc.HealthStub(channel.channel)
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1
    call = asyncio.ensure_future(
        channel.call(running.stub(channel).EchoText, stubs.messages.EchoTextRequest())
    )
    await entered.wait()
    watch = health.Watch(health_pb2.HealthCheckRequest(service="tongban.testing.v1.ProbeService"))
    states = aiter(watch)
    assert (await anext(states)).status == health_pb2.HealthCheckResponse.SERVING
    drain = asyncio.ensure_future(running.server.drain(notice_seconds=0.1, grace_seconds=5))
    assert (await anext(states)).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()
    assert (await call).text == "done"
    await drain
    with pytest.raises(Fault) as met:
        await channel.call(
            running.stub(channel).EchoText, stubs.messages.EchoTextRequest(), timeout_seconds=1
        )
    assert met.value.code in {"PEER_UNAVAILABLE", "DEADLINE_PASSED"}


async def test_reflection_lists_the_services(start, stubs) -> None:
    running = await start(servicer_of(stubs))
    channel = running.channel("department", "361103-market")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel.channel)

    async def question() -> Any:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    async for answer in stub.ServerReflectionInfo(question()):
        names = {service.name for service in answer.list_services_response.service}
        assert {"tongban.testing.v1.ProbeService", "grpc.health.v1.Health"} <= names


def test_a_method_that_does_not_say_who_may_call_refuses_start_up(stubs, authority) -> None:
    server = RpcServer(authority.identity(Peer("service", "certs")))
    servicer = type("Forgetful", (stubs.services.ForgetfulServiceServicer,), {})()
    with pytest.raises(ValueError, match="ForgetRule: no access option"):
        server.register(stubs.services.add_ForgetfulServiceServicer_to_server, servicer)


async def test_health_follows_readiness_until_the_stop(stubs, authority) -> None:
    ready, stop = Readiness("schema"), asyncio.Event()
    server = RpcServer(authority.identity(Peer("service", "certs")))
    server.register(stubs.services.add_ProbeServiceServicer_to_server, servicer_of(stubs))
    with bind("127.0.0.1", 0) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    part = asyncio.ensure_future(serve(server, address, stop, ready=ready, notice_seconds=0, grace_seconds=1))
    channel = open_channel(address, Peer("service", "certs"), authority.identity(Peer("operator", "admin")))
    try:
        call = Caller(None, deadline=time.monotonic() + 5)
        request = stubs.messages.OperateAllRequest()
        stub = stubs.services.ProbeServiceStub(channel.channel)
        with calling(call), pytest.raises(Fault) as met:
            await channel.call(stub.OperateAll, request, timeout_seconds=1)
        assert met.value.code in {"PEER_UNAVAILABLE", "DEADLINE_PASSED"}
        ready.set("schema", True)
        await channel.call(stub.OperateAll, request)
    finally:
        await channel.close()
        stop.set()
        await part
