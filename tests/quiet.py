"""A measurement that has a bound waits until no other worker of the run is in a test, and no test starts meanwhile.

Every test holds the floor with others; ``quiet()`` holds it alone. Whoever asks for it alone is next, however many
short tests the other workers still have. A run without workers has nothing to wait for.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

Quiet = Callable[[], AbstractContextManager[None]]
_FLOOR = pytest.StashKey["Floor"]()


class Floor:
    """Two files that the workers of one run lock: the floor itself, and the door in front of it."""

    def __init__(self, run: str) -> None:
        folder = Path(tempfile.gettempdir())
        self._door, self._floor = (
            (folder / f"tongban-tests-{run}.{name}").open("a") for name in ("door", "floor")
        )

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the floor with other tests for the block."""
        self._enter()
        try:
            yield
        finally:
            fcntl.flock(self._floor, fcntl.LOCK_UN)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the floor alone for the block, in a test that held it with others before and does again after."""
        fcntl.flock(self._floor, fcntl.LOCK_UN)
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._floor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._floor, fcntl.LOCK_SH)
            fcntl.flock(self._door, fcntl.LOCK_UN)

    def _enter(self) -> None:
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._floor, fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)


def pytest_configure(config: pytest.Config) -> None:
    worker: dict[str, str] | None = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[_FLOOR] = Floor(worker["testrunuid"])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    floor = item.config.stash.get(_FLOOR, None)
    with floor.shared() if floor else nullcontext():
        return (yield)


@pytest.fixture(scope="session")
def quiet(pytestconfig: pytest.Config) -> Quiet:
    """What to wrap a measured block in: ``with quiet(): …``."""
    floor = pytestconfig.stash.get(_FLOOR, None)
    return floor.alone if floor else nullcontext
