"""Budgets of gRPC methods: the same counts, table and refusal as behind the HTTP door."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.limits import Budget, RateLimits
from chassis.rpc.access import Method
from chassis.rpc.call import Caller
from chassis.rpc.guard import Admit


def admission(limits: RateLimits, budgets: Mapping[str, Budget]) -> Admit:
    """Return the check of a server: a call of ``/package.Service/Method`` takes one of its caller's budget.

    The caller is the certificate's identity, so nobody uses up another's. A refusal carries
    ``QuotaFailure`` and ``RetryInfo``.
    """

    async def admit(method: Method, call: Caller) -> None:
        budget = budgets.get(method.path)
        if budget is not None:
            await limits.check(budget, str(call.peer))

    return admit
