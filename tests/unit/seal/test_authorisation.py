"""Who may use a seal, with whose approval and how often: the rules alone, over invented clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import CHINA_TIME
from chassis.errors import Fault
from services.seal.domain.authorisation import (
    Approval,
    DocumentType,
    Grant,
    GranteeKind,
    LastUse,
    Purpose,
    SealRules,
    Withdrawal,
    changed_rules,
    check_approval,
    check_grant,
    check_limits,
    check_quorum,
    check_withdrawal,
    distinct_approvers,
    grant_for,
    implicit_grant,
    uses_today,
)
from services.seal.domain.register import RegisteredSeal, SealStatus

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OWNER = "11361103TB1000011X"
OTHER = "11361123TB20000214"
SEAL = RegisteredSeal(
    "36110300000001",
    OWNER,
    "上饶市广丰区市场监督管理局",
    b"",
    NOW - timedelta(days=9),
    NOW + timedelta(days=900),
    SealStatus.ACTIVE,
    NOW,
    3,
)
PURPOSE = Purpose(SEAL.seal_id, OWNER, f"department/{OWNER}", DocumentType.NOTICE, "item-1", "case-1")
GRANT = Grant(
    "018f0000-0000-7000-8000-000000000001",
    SEAL.seal_id,
    GranteeKind.DEPARTMENT,
    OWNER,
    DocumentType.NOTICE,
    "item-1",
    "",
    NOW - timedelta(hours=1),
    NOW + timedelta(hours=1),
    NOW - timedelta(hours=1),
    "张三",
    "李四",
    "年度授权",
    "operator/ops-1",
)
WITHDRAWN = Withdrawal(NOW - timedelta(minutes=1), "张三", "误授", "operator/ops-1")


def refusal(call: object, *values: object) -> Fault:
    with pytest.raises(Fault) as refused:
        call(*values)  # type: ignore[operator]
    return refused.value


def test_a_grant_covers_what_it_says_and_nothing_beside() -> None:
    assert grant_for([GRANT], PURPOSE, NOW) is GRANT
    beside = {
        "seal_id": "36110300000002",
        "account": f"department/{OTHER}",
        "document_type": DocumentType.DECISION,
        "service_item": "item-2",
    }
    for name, value in beside.items():
        wanted = replace(PURPOSE, **{name: value})
        assert refusal(grant_for, [GRANT], wanted, NOW).code == "SEAL_USE_NOT_GRANTED", name
    assert refusal(grant_for, [], PURPOSE, NOW).code == "SEAL_USE_NOT_GRANTED"


def test_a_grant_for_one_case_is_none_for_another() -> None:
    one = replace(GRANT, case_id="case-1")
    assert grant_for([one], PURPOSE, NOW) is one
    assert refusal(grant_for, [one], replace(PURPOSE, case_id="case-2"), NOW).code == "SEAL_USE_NOT_GRANTED"


@given(st.integers(-7200, 7200))
def test_a_grant_holds_from_its_first_moment_to_before_its_last(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    assert GRANT.covers(PURPOSE, at) is (-3600 <= seconds < 3600)
    assert replace(GRANT, valid_until=None).covers(PURPOSE, at) is (seconds >= -3600)
    assert not replace(GRANT, withdrawal=WITHDRAWN).covers(PURPOSE, at)


def test_a_named_reviewer_is_believed_to_the_owner_and_to_operators_only() -> None:
    grant = replace(GRANT, grantee_kind=GranteeKind.REVIEWER, grantee="王 五")
    mine = replace(PURPOSE, reviewer="王　五")
    assert grant.covers(mine, NOW)
    assert grant.covers(replace(mine, account="operator/ops-1"), NOW)
    assert not grant.covers(replace(mine, account=f"department/{OTHER}"), NOW)
    assert not grant.covers(replace(mine, reviewer="赵六"), NOW)
    assert not grant.covers(PURPOSE, NOW), "nobody is named"


def test_every_seal_starts_with_the_registrys_grant_for_licences_and_may_lose_it() -> None:
    own = implicit_grant(SEAL, None)
    licence = replace(PURPOSE, account="service/certs", document_type=DocumentType.LICENCE)
    assert grant_for([own], licence, NOW) is own
    assert own == implicit_grant(SEAL, None), "its id is the seal's"
    assert refusal(grant_for, [own], PURPOSE, NOW).code == "SEAL_USE_NOT_GRANTED"
    ended = implicit_grant(SEAL, WITHDRAWN)
    assert refusal(grant_for, [ended], licence, NOW).code == "SEAL_USE_NOT_GRANTED"
    explicit = replace(
        GRANT, grantee_kind=GranteeKind.SERVICE, grantee="certs", document_type=DocumentType.LICENCE
    )
    assert grant_for([own, explicit], licence, NOW) is explicit


def test_a_grant_names_two_persons_and_ends_after_it_begins() -> None:
    check_grant(GRANT)
    broken = replace(
        GRANT, grantee=" ", reason="", second_person="张 三", operator="张 三", valid_until=GRANT.valid_from
    )
    wrong = refusal(check_grant, broken)
    assert {each.field_path: each.reason.code for each in wrong.violations} == {
        "grantee": "FIELD_REQUIRED",
        "reason": "FIELD_REQUIRED",
        "second_person": "SECOND_PERSON_SAME",
        "valid_until": "FIELD_MALFORMED",
    }
    assert refusal(check_withdrawal, replace(WITHDRAWN, reason="")).violations[0].field_path == "reason"


def approval(approver: str, at: int = 0) -> Approval:
    return Approval(str(at), SEAL.seal_id, "0" * 64, approver, "", "operator/ops-1", NOW)


@given(st.lists(st.sampled_from(["张三", "李四", " 张三", "Li Si", "li  si", "王五"])), st.integers(0, 5))
def test_a_quorum_counts_persons_and_not_approvals(approvers: list[str], quorum: int) -> None:
    rules = replace(SealRules(SEAL.seal_id), quorum=quorum)
    given_ = [approval(name, at) for at, name in enumerate(approvers)]
    persons = {name.replace(" ", "").lower() for name in approvers}
    assert distinct_approvers(given_) == len(persons)
    if len(persons) >= quorum:
        assert check_quorum(rules, given_) == len(persons)
    else:
        fault = refusal(check_quorum, rules, given_)
        assert fault.metadata == {"quorum": str(quorum), "approvers": str(len(persons))}


def test_who_uses_the_seal_does_not_approve_that() -> None:
    rules = replace(SealRules(SEAL.seal_id), quorum=2)
    assert check_quorum(rules, [approval("张三"), approval("李四")], "王五") == 2
    assert refusal(check_quorum, rules, [approval("张三"), approval("李四")], "李四").code == (
        "SEAL_QUORUM_MISSING"
    )


def test_rules_and_approvals_name_what_is_wrong_with_them() -> None:
    rules = SealRules(SEAL.seal_id, -1, 10_000_001, -1, operator="张三", second_person="张三")
    assert {each.field_path for each in refusal(changed_rules, rules).violations} == {
        "quorum",
        "daily_limit",
        "burst_limit",
        "second_person",
        "reason",
    }
    wrong = refusal(check_approval, replace(approval(""), document_sha256="X"))
    assert {each.field_path for each in wrong.violations} == {"approver", "document_sha256"}


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
"""Moments of a year, in any order: clocks of several processes differ."""


@given(st.lists(MOMENTS, max_size=40), st.integers(1, 5), st.booleans())
def test_no_day_of_china_has_more_uses_than_allowed(moments: list[datetime], limit: int, close: bool) -> None:
    if close:  # all on two neighbouring days
        moments = [NOW + (at - NOW) % timedelta(days=2) for at in moments]
    rules, last, entered = SealRules(SEAL.seal_id, daily_limit=limit), None, []
    for at in moments:
        try:
            last = check_limits(rules, last, None, at)
        except Fault as fault:
            assert fault.code == "SEAL_LIMIT_REACHED"  # noqa: PT017 - one of many
            again = at + timedelta(seconds=fault.retry_after_seconds or 0)
            assert again.astimezone(CHINA_TIME).time().replace(microsecond=0) == datetime.min.time()
            assert check_limits(rules, last, None, again).day_uses == 1
            continue
        entered.append(last)
    assert [each.used_at for each in entered] == sorted(each.used_at for each in entered)
    days = [each.used_at.astimezone(CHINA_TIME).date() for each in entered]
    assert all(days.count(day) <= limit for day in days)
    for at, each in enumerate(entered):
        assert each.day_uses == days[: at + 1].count(days[at])


@given(st.lists(st.integers(0, 200_000), max_size=60), st.integers(1, 6))
def test_no_sixty_seconds_have_more_uses_than_allowed(steps: list[int], limit: int) -> None:
    rules, last, entered, at = SealRules(SEAL.seal_id, burst_limit=limit), None, [], NOW
    for step in steps:
        at += timedelta(milliseconds=step % 20_000)
        began = entered[-limit] if len(entered) >= limit else None
        try:
            last = check_limits(rules, last, began, at)
        except Fault as fault:
            assert fault.metadata["budget"] == "seal_minute"  # noqa: PT017 - one of many
            assert 0 < (fault.retry_after_seconds or 0) <= 60  # noqa: PT017
            continue
        entered.append(last.used_at)
    for earlier, later in zip(entered, entered[limit:], strict=False):
        assert later - earlier >= timedelta(seconds=60)


def test_the_day_is_chinas_and_the_refusal_says_when_it_ends() -> None:
    evening = datetime(2026, 11, 22, 15, 59, 30, tzinfo=UTC)  # 23:59:30 in Beijing
    rules = SealRules(SEAL.seal_id, daily_limit=3, burst_limit=3)
    fault = refusal(check_limits, rules, LastUse(evening, 3), None, evening)
    assert (fault.retry_after_seconds, fault.metadata["again_at"]) == (30.0, "2026-11-23T00:00:00+08:00")
    assert uses_today(LastUse(evening, 3), evening + timedelta(seconds=30)) == 0
    both = refusal(check_limits, rules, LastUse(evening, 3), evening - timedelta(seconds=10), evening)
    assert both.retry_after_seconds == 50.0, "the later of both"
    assert uses_today(None, NOW) == 0
