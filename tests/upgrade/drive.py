"""Carries cases through on a running stack with the code that PYTHONPATH names: `drive.py HOME COUNT SEED`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from cli.local.layout import Layout
from tests.stacks.applicants import carry_through, case_workers
from tests.stacks.local import LocalStack
from tests.stacks.settling import settled


async def main(home: str, count: int, seed: int) -> None:
    stack = LocalStack(Layout(Path(home)))
    async with case_workers(stack.reach, count, seed) as (people, desk):
        ids = await asyncio.gather(*(carry_through(person, desk) for person in people))
    if not await settled(stack, 90):
        sys.exit("not settled")
    print(json.dumps(ids))


if __name__ == "__main__":
    sys.path.pop(0)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
