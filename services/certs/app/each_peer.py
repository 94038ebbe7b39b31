"""One step with every registry at once, so that none waits for another nor fails with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis.failures import is_outage
from services.certs.domain.federation import Agreement, Federation


async def of_each(
    federation: Federation,
    step: Callable[[Agreement], Awaitable[bool]],
    failed: Callable[[str, BaseException], None],
) -> bool:
    """Take a step with every registry; return whether any has more to do.

    ``failed`` is told which registry's step raised what. An outage of all of them is one of our own and raised.
    """
    agreements = list(federation.agreements.values())
    done = await asyncio.gather(*(step(each) for each in agreements), return_exceptions=True)
    problems = [each for each in done if isinstance(each, BaseException)]
    for agreement, each in zip(agreements, done, strict=True):
        if isinstance(each, BaseException):
            failed(agreement.registry_id, each)
    if problems and len(problems) == len(done) and all(map(is_outage, problems)):
        raise problems[0]
    return any(each is True for each in done)
