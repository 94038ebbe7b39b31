"""The stored answers to rows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from chassis.errors import Violation, declared
from services.certs.domain.importing import Outcome, RowAnswer


def answer_row(
    caller: str, batch_id: str, key: bytes, answer: RowAnswer, now: datetime
) -> tuple[object, ...]:
    """Return an answer in the order of `statements.ANSWER_COLUMNS`."""
    licence_id = answer.licence_id or None
    problems = json.dumps([_problem(each) for each in answer.problems]) if answer.problems else "[]"
    flags = answer.quality_flags
    return caller, batch_id, answer.row_number, key, answer.outcome.value, licence_id, flags, problems, now


def answer_of(row: Any) -> RowAnswer:
    """Return the stored answer of a row of ``import_answer``."""
    reasons = {each.code: each for each in declared()}
    problems = tuple(
        Violation(each["field"], reasons[each["reason"]], each["metadata"])
        for each in json.loads(row["problems"])
        if each["reason"] in reasons
    )
    licence_id = str(row["licence_id"]) if row["licence_id"] else ""
    return RowAnswer(
        row["row_number"], Outcome(row["outcome"]), licence_id, tuple(row["quality_flags"]), problems
    )


def _problem(problem: Violation) -> dict[str, Any]:
    return {"field": problem.field_path, "reason": problem.reason.code, "metadata": problem.metadata}
