"""Clocks that jump while a service runs: libfaketime (Debian), told by a file; the monotonic clock stays true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.local.layout import SEAL_TSA, SERVICES, Layout
from tests.stacks.needs import unavailable

_LOOK_SECONDS = 2.5
"""libfaketime looks at its file again when the second after the next began; at every reading it would take half a core."""
CLOCKS = (*SERVICES, SEAL_TSA)
"""Every process that says what time it is."""
_PLACES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")


def environment(layout: Layout) -> dict[str, dict[str, str]]:
    """Return what each of `CLOCKS` needs so that it can be set; all are right at first."""
    library = _library()
    found = {}
    for name in CLOCKS:
        clock_file(layout, name).write_text("+0\n")
        found[name] = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock_file(layout, name)),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    return found


@asynccontextmanager
async def shifted(layout: Layout, seconds: int, *services: str) -> AsyncIterator[None]:
    """Have the clocks of some services wrong by so many seconds for the block, from one moment to the next."""
    _set(layout, f"{seconds:+d}", services)
    try:
        await asyncio.sleep(_LOOK_SECONDS)
        yield
    finally:
        _set(layout, "+0", services)
        await asyncio.sleep(_LOOK_SECONDS)


def clock_file(layout: Layout, service: str) -> Path:
    """Return the file that says how wrong a service's clock is."""
    return layout.home / "run" / f"{service}.clock"


def _set(layout: Layout, offset: str, services: tuple[str, ...]) -> None:
    for name in services:
        fresh = clock_file(layout, name).with_suffix(".fresh")
        fresh.write_text(f"{offset}\n")
        fresh.replace(clock_file(layout, name))


def _library() -> Path:
    for place in _PLACES:
        if (found := Path(place) / "libfaketimeMT.so.1").exists():
            return found
    return unavailable("clocks cannot be faked: libfaketime is not installed (Debian package libfaketime)")
