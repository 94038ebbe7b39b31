"""Notify over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.notify.stage import Notify, open_notify


@pytest.fixture
async def notify(fresh_database) -> AsyncIterator[Notify]:
    async with open_notify(await fresh_database()) as opened:
        yield opened
