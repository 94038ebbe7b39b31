"""A moment on the wire comes back as it was; one outside the calendar is the caller's mistake."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.rpc.moments import moment_of, stamp
from tongban.certs.v1 import licence_pb2


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_a_moment_survives_the_wire(moment):
    request = licence_pb2.ChangeLicenceStatusRequest(effective_at=stamp(moment))
    assert moment_of(request, "effective_at") == moment


def test_a_moment_that_was_not_given_is_none():
    assert moment_of(licence_pb2.ChangeLicenceStatusRequest(), "effective_at") is None


@pytest.mark.parametrize("seconds", [2**60, -(2**60)])
def test_a_moment_outside_the_calendar_names_its_field(seconds):
    request = licence_pb2.ChangeLicenceStatusRequest()
    request.effective_at.seconds = seconds
    with pytest.raises(Fault) as refused:
        moment_of(request, "effective_at")
    assert [each.field_path for each in refused.value.violations] == ["effective_at"]
