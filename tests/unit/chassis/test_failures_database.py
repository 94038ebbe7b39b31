"""What asyncpg says when a server dies is an outage: nobody's event is at fault."""

from __future__ import annotations

import asyncpg
import pytest

from chassis.failures import DATABASE_TROUBLE, is_outage


@pytest.mark.parametrize(
    "problem",
    [
        asyncpg.InternalClientError("cannot switch to state 10; another operation (1) is in progress"),
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.DeadlockDetectedError("deadlock"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_a_server_that_went_away_is_an_outage_and_is_caught_as_database_trouble(problem):
    assert is_outage(problem)
    assert isinstance(problem, DATABASE_TROUBLE)


@pytest.mark.parametrize("problem", [ValueError("x"), KeyError("x"), asyncpg.UniqueViolationError("twice")])
def test_a_fault_of_the_work_itself_is_none(problem):
    assert not is_outage(problem)
