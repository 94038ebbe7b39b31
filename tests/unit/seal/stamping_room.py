"""What the tests of time stamping share: an authority of ours in this process, and who believes it. Not a test module."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from chassis.errors import PEER_UNAVAILABLE
from services.seal.clients.timestamps import RfcTimestamper, StampingPlace
from services.seal.domain.certificates import read_certificate
from services.seal.domain.pki import Credential, DevelopmentPki, certify, make_development_pki
from services.seal.domain.stamping_keys import TIME_STAMPER
from services.seal.domain.suite import Suite
from services.seal.domain.timestamps import TimestampTrust
from services.seal.tsa import ForwardClock, StampingAuthority
from services.seal.tsa.authority import StampingKey
from services.seal.usecases.ledger_time import LAG_LIMIT, Timekeeping
from tests.unit.seal.sealing_room import NOW, pki, sm2, suites

Clock = Callable[[], datetime]


def p256() -> Suite:
    found = suites().by_name("ECDSA-P256-SHA256")
    assert found is not None
    return found


@lru_cache(maxsize=1)
def companion() -> DevelopmentPki:
    """The PKI of the second suite; PDF and others' software want every certificate of a chain in it."""
    return make_development_pki(p256(), (), NOW - timedelta(days=100))


def stamper(
    suite: Suite | None = None, room: DevelopmentPki | None = None, profile=TIME_STAMPER
) -> Credential:
    """Return a time-stamping credential of one suite, as the maker's job issues it."""
    suite = suite or sm2()
    ca = (room or pki()).maker_ca if suite is sm2() else companion().maker_ca
    start = read_certificate(ca.certificate).not_before
    return certify(suite, ca, "通办时间戳", profile, start, start + timedelta(days=2_000))


def open_stamper(suite: Suite, credential: Credential) -> StampingKey:
    return StampingKey(suite, suite.open_key(credential.private_key), credential.certificate)


def stamping_authority(
    clock: Clock = lambda: NOW, room: DevelopmentPki | None = None, mark: Path | None = None, **said
) -> StampingAuthority:
    """Return our authority with a key of each suite."""
    place = mark or Path(tempfile.mkdtemp(prefix="tsa-")) / "clock.mark"
    made = StampingAuthority(suites(), ForwardClock(clock, place), **said)
    made.use([open_stamper(suite, stamper(suite, room)) for suite in (sm2(), p256())])
    return made


def trust_of(room: DevelopmentPki | None = None) -> TimestampTrust:
    known = (room or pki(), companion())
    return TimestampTrust(
        suites(), [read_certificate(each) for each_pki in known for each in each_pki.anchors],
        [read_certificate(each) for each_pki in known for each in each_pki.intermediates],
    )  # fmt: skip


class Switch:
    """The way to an authority, which tests interrupt; counts what was asked."""

    def __init__(self, authority: StampingAuthority) -> None:
        self.authority, self.down, self.asked = authority, False, 0

    def __call__(self, query: bytes) -> bytes:
        self.asked += 1
        if self.down:
            raise PEER_UNAVAILABLE(peer="tsa")
        return self.authority.answer(query)


def timestamper(ask=None, clock: Clock = lambda: NOW, room: DevelopmentPki | None = None) -> RfcTimestamper:
    """Return a client that asks an authority in this process."""
    place = StampingPlace("here", ask or stamping_authority(clock, room).answer)
    return RfcTimestamper(sm2(), [place], lambda _anew: trust_of(room), clock)


def timekeeping(
    clock: Clock = lambda: NOW, room: DevelopmentPki | None = None, limit: timedelta = LAG_LIMIT
) -> Timekeeping:
    return Timekeeping(timestamper(None, clock, room), limit)
