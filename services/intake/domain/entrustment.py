"""An entrustment (委托): someone may show or hand out a holder's licences for them, in a scope, until an end.

It can be taken back at any time (民法典 173). Intake keeps and signs it; the registry acts on what was signed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare
from services.intake.domain.identity.person import CARD_AND_CODE_LEVEL, CITIZEN_NUMBER, UNIFIED_CODE
from standards.identifiers import check_citizen_id, check_uscc

STATEMENT_KIND = "entrustment"
LONGEST = timedelta(days=1_096)
"""Three years; who still wants it then says so again."""
SCOPE_LIMIT = 50
REVOCATION_REASON_LIMIT = 200
LEVEL = CARD_AND_CODE_LEVEL
"""Who hands their licences to another must have proved who they are."""

ENTRUSTMENT_NOT_FOUND = declare(
    "ENTRUSTMENT_NOT_FOUND", Kind.NOT_FOUND, "没有找到该委托", "There is no such entrustment of yours"
)
AGENT_IS_GRANTOR = declare(
    "AGENT_IS_GRANTOR", Kind.INVALID_ARGUMENT, "不能委托给本人", "Nobody is their own agent"
)
ENTRUSTMENT_TERM = declare(
    "ENTRUSTMENT_TERM",
    Kind.INVALID_ARGUMENT,
    "委托期限应在生效之后、将来结束，且不超过 {days} 天",
    "An entrustment ends after it begins, in the future, and within {days} days",
)
ENTRUSTED_TYPE_UNKNOWN = declare(
    "ENTRUSTED_TYPE_UNKNOWN", Kind.INVALID_ARGUMENT, "没有这种证照类型", "There is no such type of licence"
)
ENTRUSTED_ITEM_UNKNOWN = declare(
    "ENTRUSTED_ITEM_UNKNOWN", Kind.INVALID_ARGUMENT, "没有这个事项", "There is no such service item"
)
ENTRUSTMENT_NOT_IN_FORCE = declare(
    "ENTRUSTMENT_NOT_IN_FORCE",
    Kind.FAILED_PRECONDITION,
    "委托{state_zh}，不能据此办理",
    "The entrustment is not in force ({state}); nothing can be done under it",
)
ENTRUSTMENT_NOT_COVERING = declare(
    "ENTRUSTMENT_NOT_COVERING",
    Kind.PERMISSION_DENIED,
    "该委托的权限、事项或委托人与本次办理不符",
    "The entrustment does not give this power, for this item, or is not from this holder",
)

Holder = tuple[str, str]
"""Kind of number (GB/T 36903 Annex A) and number."""


class Power(StrEnum):
    """What an agent may do with the licences in scope."""

    PRESENT = "present"
    ISSUE_USE_CODE = "issue_use_code"
    APPLY = "apply"
    """Begin and conduct cases in the grantor's name (代为申办); without it an agent only adds licences to own cases."""


class EntrustmentState(StrEnum):
    """How an entrustment stands at a moment."""

    PENDING = "pending"
    NOT_BEGUN = "not_begun"
    IN_FORCE = "in_force"
    ENDED = "ended"
    REVOKED = "revoked"
    REFUSED = "refused"
    """The registry did not take it over; it never comes into force."""


_NOT_IN_FORCE_ZH = {
    EntrustmentState.PENDING: "尚未送达证照库",
    EntrustmentState.NOT_BEGUN: "尚未生效",
    EntrustmentState.ENDED: "已到期",
    EntrustmentState.REVOKED: "已撤回",
    EntrustmentState.REFUSED: "未被证照库受理",
}
FIRST_TRY = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class EntrustmentWish:
    """What a holder wants to entrust; no items means every item, no beginning means now."""

    agent: Holder = field(repr=False)
    type_codes: tuple[str, ...]
    item_codes: tuple[str, ...]
    powers: tuple[Power, ...]
    valid_from: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Entrustment:
    """An entrustment as it was given; the numbers of both persons stay encrypted and inside the statement."""

    entrustment_id: str
    grantor_id: str
    granted_by: str
    """The natural person who acted; the grantor, or who represents it."""
    grantor: Holder = field(repr=False)
    wish: EntrustmentWish
    statement: str = field(repr=False)
    """Compact JWS of `claims`, kind "entrustment", under intake's token key."""
    valid_from: datetime
    granted_at: datetime
    recorded_at: datetime | None = None
    revoked_at: datetime | None = None
    tries: int = 0
    """How often it was handed to the registry after the first time."""
    try_at: datetime | None = None
    """When it is handed over next, while the registry does not know it; None: at once."""
    refusal: str = ""
    """The code of the reason why the registry did not take it over, for good."""

    def state(self, now: datetime) -> EntrustmentState:
        """Return how it stands."""
        if self.revoked_at is not None:
            return EntrustmentState.REVOKED
        if self.refusal:
            return EntrustmentState.REFUSED
        if now >= self.wish.expires_at:
            return EntrustmentState.ENDED
        if self.recorded_at is None:
            return EntrustmentState.PENDING
        return EntrustmentState.NOT_BEGUN if now < self.valid_from else EntrustmentState.IN_FORCE

    def recorded(self, now: datetime) -> Entrustment:
        """Return it as known to the registry; the first time counts."""
        return self if self.recorded_at else replace(self, recorded_at=now)

    def revoked(self, now: datetime) -> Entrustment:
        """Return it as taken back; the first time counts."""
        return self if self.revoked_at else replace(self, revoked_at=now)

    def refused(self, reason: str) -> Entrustment:
        """Return it as not taken over by the registry, unless it was."""
        return self if self.recorded_at else replace(self, refusal=reason)

    def tried(self, now: datetime) -> Entrustment:
        """Return it as handed over once more, with its next time."""
        return replace(self, tries=self.tries + 1, try_at=now + pause_after(self.tries + 1))

    def is_to(self, person: Holder) -> bool:
        """Say whether a person is its agent."""
        kind, number = person
        return self.wish.agent == (kind, number.strip().upper())

    def covers_item(self, item_code: str) -> bool:
        """Say whether it is for an item; no items means every item."""
        return not self.wish.item_codes or item_code in self.wish.item_codes

    def require_in_force(self, now: datetime) -> None:
        """Do nothing while it is in force. Raises ENTRUSTMENT_NOT_IN_FORCE with how it stands."""
        state = self.state(now)
        if state is not EntrustmentState.IN_FORCE:
            raise ENTRUSTMENT_NOT_IN_FORCE(state=str(state), state_zh=_NOT_IN_FORCE_ZH[state])

    def require_power(self, power: Power, item_codes: Collection[str], now: datetime) -> None:
        """Do nothing for a power it gives now for all of some items.

        Raises ENTRUSTMENT_NOT_IN_FORCE, ENTRUSTMENT_NOT_COVERING.
        """
        self.require_in_force(now)
        if power not in self.wish.powers or not all(self.covers_item(each) for each in item_codes):
            raise ENTRUSTMENT_NOT_COVERING()


def pause_after(tries: int) -> timedelta:
    """Return how long to wait before the next hand-over: a minute, doubled each time, six hours at most."""
    return min(FIRST_TRY * (1 << min(tries, 16)), LONGEST_PAUSE)


def claims(entrustment_id: str, grantor: Holder, wish: EntrustmentWish, begins: datetime) -> dict[str, Any]:
    """Return what the registry is told, signed: times in whole seconds, as the terms of `whole_seconds`."""
    return {
        "jti": entrustment_id,
        "grantor": {"t": grantor[0], "n": grantor[1]},
        "agent": {"t": wish.agent[0], "n": wish.agent[1]},
        "types": list(wish.type_codes),
        "items": list(wish.item_codes),
        "powers": [str(each) for each in wish.powers],
        "nbf": int(begins.timestamp()),
        "exp": int(wish.expires_at.timestamp()),
    }


def whole_seconds(moment: datetime) -> datetime:
    """Return a moment as the statement can say it."""
    return moment.replace(microsecond=0)


def wish_violations(
    wish: EntrustmentWish, grantor: Holder, types: Collection[str], items: Collection[str], now: datetime
) -> list[Violation]:
    """Return everything wrong with a wish; types and items are those of the catalogue."""
    found = _agent_violations(wish.agent, grantor)
    found += _scope_violations("licence_types", wish.type_codes, types)
    found += _scope_violations("items", wish.item_codes, items)
    if not wish.type_codes:
        found.append(FIELD_REQUIRED.at("licence_types"))
    if not wish.powers:
        found.append(FIELD_REQUIRED.at("powers"))
    begins = wish.valid_from or now
    if not begins < wish.expires_at <= begins + LONGEST or wish.expires_at <= now:
        found.append(ENTRUSTMENT_TERM.at("valid_until", days=LONGEST.days))
    return found


def _agent_violations(agent: Holder, grantor: Holder) -> list[Violation]:
    kind, number = agent
    if kind not in {CITIZEN_NUMBER, UNIFIED_CODE}:
        return [FIELD_MALFORMED.at("agent.id_type")]
    if agent == grantor:
        return [AGENT_IS_GRANTOR.at("agent.id_number")]
    check = check_citizen_id(number) if kind == CITIZEN_NUMBER else check_uscc(number)
    return list(check.violations("agent.id_number"))


def _scope_violations(path: str, given: tuple[str, ...], known: Collection[str]) -> list[Violation]:
    if len(given) > SCOPE_LIMIT:
        return [FIELD_TOO_LONG.at(path, limit=SCOPE_LIMIT)]
    unknown = ENTRUSTED_TYPE_UNKNOWN if path == "licence_types" else ENTRUSTED_ITEM_UNKNOWN
    return [unknown.at(f"{path}[{at}]") for at, each in enumerate(given) if each not in known]
