"""Import of licences issued elsewhere (存量导入): rows of GB/T 36903 short names, judged one by one."""

from __future__ import annotations

from services.certs.domain.importing.row import ImportRow, Judgement, Operation, judge, judge_cancellation
from services.certs.domain.importing.source import Arrivals, Source
from services.certs.domain.importing.verdicts import Outcome, RowAnswer

__all__ = [
    "Arrivals",
    "ImportRow",
    "Judgement",
    "Operation",
    "Outcome",
    "RowAnswer",
    "Source",
    "judge",
    "judge_cancellation",
]
