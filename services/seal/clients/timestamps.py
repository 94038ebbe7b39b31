"""Time stamps from authorities, ours and others': asked in order, every answer checked in full before it is used."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from chassis.clock import Clock
from chassis.errors import Fault, Kind, declare
from chassis.logs import get_logger
from chassis.telemetry import counter
from services.seal.domain import der
from services.seal.domain.suite import Suite
from services.seal.domain.timestamps import (
    ResponseError,
    TimestampTrust,
    TokenResult,
    judge_token,
    read_response,
    write_request,
)

SKEW = timedelta(seconds=60)
"""How far an authority's clock may be from ours before its tokens are of no use."""
_NONCE_BITS = 127
_SERIALS_KEPT = 8_192
TIMESTAMP_UNAVAILABLE = declare(
    "TIMESTAMP_UNAVAILABLE",
    Kind.UNAVAILABLE,
    "时间戳服务暂不可用，请稍后重试",
    "No time-stamping authority answers; try again in a moment",
)
TIMESTAMP_WRONG = declare(
    "TIMESTAMP_WRONG",
    Kind.UNAVAILABLE,
    "时间戳服务的应答未通过核验：{why}",
    "What the time-stamping authority answered does not hold: {why}",
)
ASKED = counter("seal_timestamps_asked", "Answers of time-stamping authorities, by outcome", ("outcome",))
_log = get_logger(__name__)

Trust = Callable[[bool], TimestampTrust]
"""Whom to believe about time; told true, it looks anew."""


@dataclass(slots=True)
class StampingPlace:
    """An authority to ask: `ask` turns a DER request into the answer, or raises a Fault; it bounds its own time.

    What is remembered of it: the serial numbers it gave, and the latest time.
    """

    name: str
    ask: Callable[[bytes], bytes]
    serials: OrderedDict[int, None] = field(default_factory=OrderedDict)
    latest: datetime | None = None
    lock: Lock = field(default_factory=Lock)

    def accept(self, result: TokenResult, floor: datetime | None) -> str:
        """Remember a sound token; return why it is not one: a serial or a moment that was there before."""
        assert result.generated_at is not None, "it is sound"
        with self.lock:
            if result.serial in self.serials:
                return "the serial number was there before"
            if floor is not None and result.generated_at < floor:
                return "the time goes back"
            self.serials[result.serial] = None
            if len(self.serials) > _SERIALS_KEPT:
                self.serials.popitem(last=False)
            self.latest = max(self.latest or result.generated_at, result.generated_at)
        return ""


class RfcTimestamper:
    """Implements the port Timestamper over several authorities; safe to call from several threads."""

    def __init__(self, suite: Suite, places: Sequence[StampingPlace], trust: Trust, clock: Clock) -> None:
        """Take the authorities in the order in which they are asked; the others stand in for the first."""
        self._suite, self._places, self._trust, self._clock = suite, tuple(places), trust, clock

    def token(self, stamped: bytes) -> bytes:
        """Return a token over the value from the first authority that gives a good one.

        Raises TIMESTAMP_WRONG if one answered and none of the answers holds, else TIMESTAMP_UNAVAILABLE.
        """
        wrong: Fault | None = None
        for place in self._places:
            try:
                token = self._asked(place, stamped)
            except Fault as fault:
                is_wrong = fault.code == TIMESTAMP_WRONG.code
                ASKED.labels("wrong" if is_wrong else "unavailable").inc()
                _log.warning("timestamp_not_had", place=place.name, reason=fault.code, cause=fault.en)
                wrong = wrong or (fault if is_wrong else None)
            else:
                ASKED.labels("good").inc()
                return token
        raise wrong or TIMESTAMP_UNAVAILABLE()

    def _asked(self, place: StampingPlace, stamped: bytes) -> bytes:
        nonce, floor = secrets.randbits(_NONCE_BITS), place.latest
        answer = place.ask(write_request(self._suite, self._suite.digest(stamped), nonce))
        try:
            response = read_response(answer)
        except ResponseError as error:
            raise TIMESTAMP_WRONG(why=str(error)) from None
        if not response.token:
            raise TIMESTAMP_UNAVAILABLE()
        result = judge_token(response.token, stamped, self._trust(False))
        if not result.fault and not result.trusted:
            result = judge_token(response.token, stamped, self._trust(True))
        why = self._misfit(result, nonce) or place.accept(result, floor)
        if why:
            raise TIMESTAMP_WRONG(why=why)
        return response.token

    def _misfit(self, result: TokenResult, nonce: int) -> str:
        if result.fault or result.generated_at is None:
            return result.fault or "no time"
        if result.unknown_algorithm:
            return f"signed with {result.unknown_algorithm}, which is not built in"
        if not result.trusted:
            return "authority not trusted"
        if result.nonce != der.write_integer(nonce):
            return "nonce"
        return "" if abs(self._clock() - result.generated_at) <= SKEW else "the time is not the present"
