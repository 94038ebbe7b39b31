"""A crowd of callers who repeat what is UNAVAILABLE, a signer that is killed meanwhile, and signatures judged by others.

Not a test module.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import gmssl_pyx
from asn1crypto import core, x509

from chassis.errors import Fault, Kind
from tests.integration.seal.signer_room import SignerProcess
from tests.unit.seal.sealing_room import unpack

CALLERS, KILLS = 100, 3
PATIENCE_SECONDS = 240.0


@dataclass
class Tally:
    """What the callers met."""

    refused: Counter[str] = field(default_factory=Counter)
    done: int = 0


async def until_done(work: Callable[[], Awaitable[None]], tally: Tally) -> None:
    """Repeat what is UNAVAILABLE, as callers do; anything else fails the test."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await work()
        except Fault as fault:
            if fault.kind is not Kind.UNAVAILABLE or time.monotonic() > end:
                raise
            tally.refused[fault.code] += 1
            await asyncio.sleep(0.05)
        else:
            tally.done += 1
            return


async def keep_killing(running: SignerProcess, tally: Tally, total: int, *, down_seconds: float = 0.2) -> int:
    """Kill the signer each time another part of the work is done, and start it again a moment later."""
    for kill in range(1, KILLS + 1):
        while tally.done < total * kill // (KILLS + 1):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(running.kill)
        await asyncio.sleep(down_seconds)
        await asyncio.to_thread(running.start)
    return KILLS


def judged_by_others(document: bytes) -> str:
    """Return the hex SM3 of the one signature in a sealed document, after GmSSL found it sound.

    Nothing of ours takes part: asn1crypto takes the value apart, GmSSL computes SM3 and verifies SM2.
    """
    files = unpack(document)
    (path,) = [name for name in files if name.endswith("SignedValue.dat")]
    tbs, certificate, _, signature = list(core.SequenceOf.load(files[path], spec=core.Any))[:4]
    point = x509.Certificate.load(certificate.parse(core.OctetString).native).public_key.dump()[-64:]
    value = signature.parse(core.BitString).contents[1:]
    assert gmssl_pyx.sm2_verify(point, tbs.dump(), value), "the signature is wrong"
    data_hash = list(core.SequenceOf.load(tbs.dump(), spec=core.Any))[3].parse(core.BitString).contents[1:]
    assert data_hash == gmssl_pyx.sm3_hash(files[path.replace("SignedValue.dat", "Signature.xml")])
    return str(gmssl_pyx.sm3_hash(value).hex())
