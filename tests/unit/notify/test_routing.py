"""Which gateway goes first: a failing one rests, a slow one goes behind, never both at once for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.routing import (
    FAILURES_THAT_REST,
    JUDGED_FROM,
    PROBE_EVERY,
    REST,
    SLOW_SECONDS,
    SWITCH_EVERY,
    Routing,
)

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def failed(routing: Routing, name: str, times: int, now: datetime = NOW) -> None:
    for _ in range(times):
        routing.noted(name, now, failed=True, seconds=0.1)


def slow(routing: Routing, name: str, share: float, calls: int = 100, now: datetime = NOW) -> None:
    for number in range(calls):
        seconds = SLOW_SECONDS + 1 if number < share * calls else 0.1
        routing.noted(name, now, failed=False, seconds=seconds)


def test_five_failures_in_a_row_put_a_gateway_to_rest_and_a_success_between_does_not() -> None:
    routing = Routing(["a", "b"])
    failed(routing, "a", FAILURES_THAT_REST - 1)
    routing.noted("a", NOW, failed=False, seconds=0.1)
    failed(routing, "a", FAILURES_THAT_REST - 1)
    assert routing.order(NOW) == ("a", "b")
    failed(routing, "a", 1)
    assert routing.order(NOW) == ("b", "a")


def test_after_its_rest_one_message_at_a_time_tries_it() -> None:
    routing = Routing(["a", "b"])
    failed(routing, "a", FAILURES_THAT_REST)
    back = NOW + REST
    assert [routing.order(back)[0] for _ in range(3)] == ["a", "b", "b"]
    assert routing.order(back + PROBE_EVERY)[0] == "a"
    routing.noted("a", back, failed=False, seconds=0.1)
    assert [routing.order(back)[0] for _ in range(3)] == ["a", "a", "a"]


def test_the_rest_ends_before_the_thirty_seconds_of_a_fail_over() -> None:
    assert timedelta(seconds=30) > REST


def test_a_slow_gateway_goes_behind_a_quick_one() -> None:
    routing = Routing(["a", "b"])
    slow(routing, "a", 0.1)
    assert routing.order(NOW) == ("a", "b")
    slow(routing, "a", 0.3)
    assert routing.order(NOW) == ("b", "a")


def test_nothing_changes_when_all_are_slow_or_too_few_calls_are_known() -> None:
    routing = Routing(["a", "b"])
    slow(routing, "a", 1.0, JUDGED_FROM - 1)
    assert routing.order(NOW) == ("a", "b")
    slow(routing, "a", 1.0)
    slow(routing, "b", 1.0)
    assert routing.order(NOW) == ("a", "b")


def test_the_order_changes_at_most_once_in_five_minutes() -> None:
    routing = Routing(["a", "b"])
    slow(routing, "a", 1.0)
    assert routing.order(NOW) == ("b", "a")
    later = NOW + timedelta(minutes=16)  # what was slow is forgotten by then
    slow(routing, "b", 1.0, now=NOW + SWITCH_EVERY / 2)
    assert routing.order(NOW + SWITCH_EVERY / 2) == ("b", "a")
    slow(routing, "b", 1.0, now=later)
    assert routing.order(later) == ("a", "b")


def test_one_gateway_alone_is_always_called() -> None:
    routing = Routing(["a"])
    failed(routing, "a", 100)
    assert routing.order(NOW) == ("a",)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 10), st.integers(0, 600)), max_size=200
    )
)
def test_every_gateway_stands_in_the_order_once_whatever_happened(
    happened: list[tuple[str, bool, float, int]],
) -> None:
    routing, now = Routing(["a", "b", "c"]), NOW
    for name, failed_, seconds, passed in happened:
        now += timedelta(seconds=passed)
        assert sorted(routing.order(now)) == ["a", "b", "c"]
        routing.noted(name, now, failed=failed_, seconds=seconds)
    assert routing.order(now, first=["c", "unknown"])[0] == "c"
