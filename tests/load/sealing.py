"""SM2, sealing and verifying OFD documents on one core, each beside its limit in the same run.

Every rate is per second of CPU time: the work is pure computation, and `openssl speed` counts the same way. Each
measurement runs in a process of its own (``tests.load.sealing_child``).
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.load.measured import Measured, Missing
from tests.load.servers import Child, child

SEALING = ("sm2_sign", "sm2_verify", "ofd_seal", "ofd_verify")
ROUNDS = 3
_SPEED = re.compile(r"SM2 .*?([0-9.]+)s\s+([0-9.]+)s\s+([0-9.]+)\s+([0-9.]+)\s*$", re.MULTILINE)
Note = Callable[[str], None]


async def sealing(names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured | Missing]:
    """Measure what is asked for: ours and openssl's SM2 take turns, so that both meet the same machine."""
    async with child("tests.load.sealing_child") as worker:
        rates, peer = await _sm2(worker, seconds / ROUNDS / 2, note)
        for name, index in (("sm2_sign", 0), ("sm2_verify", 1)):
            if name in names:
                yield _measured(name, rates[name], peer[index] if peer else None)
        limits = {
            "ofd_seal": ("SM2 signatures alone, same run", _best(rates["sm2_sign"])),
            "ofd_verify": ("SM2 verifications alone, same run", _best(rates["sm2_verify"])),
        }
        for name, (limit_name, limit) in limits.items():
            if name in names:
                note(name)
                yield _ofd(name, await _ask(worker, name, seconds), limit_name, limit)


async def _sm2(
    worker: Child, seconds: float, note: Note
) -> tuple[dict[str, list[float]], tuple[float, float] | None]:
    """Return our rates of every round and openssl's best rates, None where there is no openssl."""
    ours: dict[str, list[float]] = {"sm2_sign": [], "sm2_verify": []}
    theirs: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        note(f"SM2, round {number + 1} of {ROUNDS}")
        if shutil.which("openssl"):
            theirs.append(await _openssl(max(1, round(seconds))))
        for name, found in ours.items():
            found.append((await _ask(worker, name, seconds))["rate"])
    best = (max(sign for sign, _ in theirs), max(verify for _, verify in theirs)) if theirs else None
    return ours, best


async def _openssl(seconds: int) -> tuple[float, float]:
    process = await asyncio.create_subprocess_exec(
        "openssl", "speed", "-seconds", str(seconds), "sm2",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    text = (await process.communicate())[0].decode()
    found = _SPEED.search(text)
    if found is None:
        raise RuntimeError(f"openssl speed sm2 printed no rates: {text[-200:]}")
    return float(found.group(3)), float(found.group(4))


async def _ask(worker: Child, name: str, amount: float) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await worker.ask(json.dumps({"name": name, "amount": amount})))
    return answer


def _best(rates: list[float]) -> float:
    return max(rates)


def _measured(name: str, rates: list[float], limit: float | None) -> Measured:
    return Measured(
        name,
        _best(rates),
        "per CPU second",
        limit_name="openssl speed sm2, same run" if limit else None,
        limit_value=limit,
        detail={"rounds": rates, "message_bytes": 256, "best_of": "rounds, as for openssl"},
    )


def _ofd(name: str, answer: dict[str, Any], limit_name: str, limit: float) -> Measured:
    spans = {key: answer.pop(key) for key in ("p50_ms", "p95_ms", "p99_ms")}
    value, count = answer.pop("rate"), answer.pop("count")
    return Measured(
        name, value, "documents per CPU second", **spans, limit_name=limit_name, limit_value=limit, rows=count,
        detail={"rows": "documents", **answer},
    )  # fmt: skip
