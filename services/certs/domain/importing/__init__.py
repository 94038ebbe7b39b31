"""Import of licences issued elsewhere (存量导入): rows of GB/T 36903 short names, judged one by one."""

from __future__ import annotations

from services.certs.domain.importing.row import ImportRow, Judgement, judge
from services.certs.domain.importing.verdicts import Outcome, RowAnswer, changes_content, is_made_here

__all__ = ["ImportRow", "Judgement", "Outcome", "RowAnswer", "changes_content", "is_made_here", "judge"]
