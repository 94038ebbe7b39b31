"""gRPC and HTTP refuse over one path: the same table, the same reason, with what and when in both languages of errors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from google.rpc import error_details_pb2 as details

from chassis.db import Database
from chassis.errors import TOO_MANY_REQUESTS, Fault
from chassis.limits import LIMITS_V1, REFUSALS, Budget, RateLimits
from chassis.rpc.admission import admission
from chassis.rpc.call import Caller
from chassis.rpc.faults import to_rich_status
from chassis.rpc.peer import Peer
from chassis.web import problem_of
from services.certs.app.evidence import RPC_BUDGETS as CERTS_BUDGETS
from services.intake.app import RPC_BUDGETS
from tests.security.test_rpc_rights import METHODS

pytestmark = [pytest.mark.promise("P19")]
ONE, OTHER = Peer("department", "1"), Peer("department", "2")


async def test_a_peer_that_used_up_its_budget_is_refused_and_others_are_not(fresh_database) -> None:
    database = await Database.open(await fresh_database(LIMITS_V1), max_size=2)
    budgets = {"/a.B/List": Budget("rpc_list", 3, 3600, aligned=True)}
    before = REFUSALS.labels("rpc_list")._value.get()
    for _restart in range(2):
        admit = admission(RateLimits(database, b"0123456789abcdef"), budgets)
        passed = 0
        for _ in range(5):
            try:
                await admit(SimpleNamespace(path="/a.B/List"), Caller(ONE))  # type: ignore[arg-type]
                passed += 1
            except Fault as fault:
                assert fault.reason is TOO_MANY_REQUESTS  # noqa: PT017 - counted
        assert passed == (0 if _restart else 3)
    await admit(SimpleNamespace(path="/a.B/List"), Caller(OTHER))  # type: ignore[arg-type]
    await admit(SimpleNamespace(path="/a.B/Get"), Caller(ONE))  # type: ignore[arg-type]
    assert REFUSALS.labels("rpc_list")._value.get() - before == 7
    await database.close()


def test_a_refusal_says_which_budget_and_when_again_on_both_doors() -> None:
    fault = TOO_MANY_REQUESTS(retry_after_seconds=41.5, budget="rpc_list")
    found = {each.type_url.rpartition(".")[2]: each for each in to_rich_status(fault).details}
    quota, retry = details.QuotaFailure(), details.RetryInfo()
    assert found["QuotaFailure"].Unpack(quota)
    assert found["RetryInfo"].Unpack(retry)
    assert [each.subject for each in quota.violations] == ["rpc_list"]
    assert retry.retry_delay.seconds == 41
    answer = problem_of(fault)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "42")
    assert b'"budget":"rpc_list"' in answer.body


def test_every_budget_names_a_method_that_exists() -> None:
    assert set(RPC_BUDGETS) | set(CERTS_BUDGETS) <= {each.path for each in METHODS}
