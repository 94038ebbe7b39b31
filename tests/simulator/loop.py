"""An event loop without a clock, without sockets and without threads: time passes only when nothing else can happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

THREAD_SECONDS = 0.002
"""How long work in a thread seems to take; it runs at once."""


class StalledError(AssertionError):
    """Everybody waits for somebody else, and no timer is set: a real process would hang for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in the order in which they became ready; a wait costs virtual time only.

    asyncio keeps its own promise (callbacks run first in, first out), so what decides who goes first is how
    long each call of the simulated database and bus takes, and that the seed decides.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass up to the next timer; what a selector does when it waits for sockets."""
        if timeout is None:
            raise StalledError("nobody can go on")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        del event_list

    def _write_to_self(self) -> None:
        """Wake nobody: there is no other thread."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run a function of a thread here and now, and hand its result out a moment later."""
        del executor
        done: asyncio.Future[Any] = self.create_future()
        try:
            result, problem = func(*args), None
        except Exception as raised:
            result, problem = None, raised

        def tell() -> None:
            if done.done():
                return
            if problem is None:
                done.set_result(result)
            else:
                done.set_exception(problem)

        self.call_later(THREAD_SECONDS, tell)
        return done
