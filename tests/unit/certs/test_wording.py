"""Where a reason, a legal basis or a name is required, it has to say something; every wrong field is named at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.errors import Fault
from services.certs.domain.dispute import DisputeAct, DisputeKind, Grounds
from services.certs.domain.life.order import Decision, OrderedAct, decision_violations
from services.certs.domain.life.rules import LifeRules
from services.certs.domain.reliance import Acknowledgement, RelianceOutcome
from services.certs.domain.status import LicenceStatus, StatusOrder
from services.certs.rpc.federation import FederationServicer
from services.certs.usecases import dispute, reliance
from services.certs.usecases.change_status import change_status
from services.certs.usecases.importing.conflicts import resolve_conflict
from services.certs.usecases.life.making import Wish
from services.certs.usecases.life.order_act import order_act, withdraw_order
from services.certs.usecases.use_codes import revoke_entrustment, revoke_use_codes
from tongban.certs.v1 import federation_pb2

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
UNTOUCHED: Any = object()
"""Stands for everything that a refused request must not get to."""
DESK: Any = SimpleNamespace(database=UNTOUCHED, registry_of=UNTOUCHED, types=UNTOUCHED)
HOLDER = ("111", "11010519491231002X")
BLANKS = ["", " ", "——", "。", "\u200b", "\u3164", "\0"]
MARKET = "11361103MB0000001X"

Request = Callable[[str], Awaitable[object]]


def order(text: str) -> StatusOrder:
    return StatusOrder(LicenceStatus.REVOKED, text, text, text, NOW)


def handled(act: DisputeAct) -> Request:
    return lambda text: dispute.handle_dispute(UNTOUCHED, MARKET, "", "", act, Grounds(text, text, text), NOW)


def wish(text: str) -> Wish:
    return Wish(MARKET, "", "", Decision(text, text, text, "乙"))


def complaint(text: str) -> dispute.Complaint:
    return dispute.Complaint("", DisputeKind.CONTENT, "", text)


def answered(text: str) -> Acknowledgement:
    return Acknowledgement(RelianceOutcome.KEPT, text, text, NOW)


def restarted(text: str) -> federation_pb2.RestartReplicaRequest:
    return federation_pb2.RestartReplicaRequest(request_id="r", reason=text)


GROUNDS = {"grounds.operator", "grounds.reason", "grounds.legal_basis"}
DECISION = {"decision.reason", "decision.basis_document", "decision.operator"}
DISPUTED = {"dispute_id", "etag"}
NAMED = {"licence_id", "etag"}
REQUESTS: dict[str, tuple[Request, set[str]]] = {
    "change of status": (
        lambda text: change_status(UNTOUCHED, UNTOUCHED, MARKET, "", "", order(text), UNTOUCHED, NOW),
        {"reason", "basis_document", "operator", *NAMED},
    ),
    "order": (
        lambda text: order_act(UNTOUCHED, UNTOUCHED, wish(text), OrderedAct.REVOKE, None, UNTOUCHED, NOW),
        {*DECISION, *NAMED},
    ),
    "order taken back": (
        lambda text: withdraw_order(UNTOUCHED, MARKET, "", text, NOW),
        {"order_id", "reason"},
    ),
    "dispute": (
        lambda text: dispute.open_dispute(UNTOUCHED, UNTOUCHED, HOLDER, complaint(text), UNTOUCHED, NOW),
        {"licence_id", "statement"},
    ),
    "dispute taken up": (handled(DisputeAct.START), {*DISPUTED, "operator"}),
    "dispute upheld": (handled(DisputeAct.UPHOLD), {*DISPUTED, *GROUNDS}),
    "dispute rejected": (handled(DisputeAct.REJECT), {*DISPUTED, *GROUNDS}),
    "freeze": (handled(DisputeAct.FREEZE), {*DISPUTED, *GROUNDS}),
    "end of a freeze": (handled(DisputeAct.UNFREEZE), {*DISPUTED, *GROUNDS}),
    "entrustment taken back": (
        lambda text: revoke_entrustment(UNTOUCHED, "", HOLDER, text, NOW),
        {"entrustment_id", "reason"},
    ),
    "use-codes taken back": (
        lambda text: revoke_use_codes(UNTOUCHED, "", text, NOW),
        {"case_id", "reason"},
    ),
    "answer to a recall": (
        lambda text: reliance.acknowledge_reliance(UNTOUCHED, MARKET, "", "", answered(text)),
        {"flag_id", "etag", "reason", "operator"},
    ),
    "conflict of sources": (
        lambda text: resolve_conflict(
            UNTOUCHED, UNTOUCHED, UNTOUCHED, "c", "", "x", "", text, UNTOUCHED, NOW
        ),
        {"resolution", "reason"},
    ),
    "replica started again": (
        lambda text: FederationServicer(DESK, UNTOUCHED).RestartReplica(restarted(text), UNTOUCHED),
        {"registry_id", "reason"},
    ),
}


async def wrong_fields(request: Awaitable[object]) -> dict[str, str]:
    with pytest.raises(Fault) as refused:
        await request
    return {each.field_path: each.reason.code for each in refused.value.violations}


@pytest.mark.parametrize("text", BLANKS)
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_reason_that_says_nothing_is_refused_with_every_other_wrong_field(
    name: str, text: str
) -> None:
    ask, expected = REQUESTS[name]
    found = await wrong_fields(ask(text))
    assert set(found) == expected
    assert set(found.values()) <= {"FIELD_REQUIRED", "FIELD_MALFORMED"}
    assert {code for path, code in found.items() if path != "resolution"} == {"FIELD_REQUIRED"}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_reason_that_no_record_can_hold_or_that_is_too_long_is_named(name: str) -> None:
    ask, expected = REQUESTS[name]
    ids = {"licence_id", "etag", "order_id", "dispute_id", "entrustment_id", "case_id", "flag_id"}
    stated = expected - ids - {"resolution", "registry_id"}
    found = await wrong_fields(ask("核\0"))
    assert {found[each] for each in stated} == {"FIELD_MALFORMED"}
    found = await wrong_fields(ask("核" * 2_001))
    assert {found[each] for each in stated} == {"FIELD_TOO_LONG"}


@pytest.mark.parametrize("text", ["", "——", "\u3164"])
async def test_a_holder_need_not_say_why_he_takes_a_dispute_back(text: str) -> None:
    found = await wrong_fields(dispute.withdraw_dispute(UNTOUCHED, HOLDER, "", "", text, NOW))
    assert set(found) == DISPUTED
    assert "reason" in await wrong_fields(dispute.withdraw_dispute(UNTOUCHED, HOLDER, "", "", "核\0", NOW))


@pytest.mark.parametrize("text", ["核", "7", "《行政许可法》第六十九条"])
def test_a_decision_that_says_something_stands(text: str) -> None:
    assert not decision_violations(Decision(text, text, text, "乙"), OrderedAct.REVOKE, LifeRules())
