"""The applicant as a case needs them: read from identity when needed, never kept in the case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CITIZEN_NUMBER = "111"
UNIFIED_CODE = "001"
"""GB/T 36903 Annex A: kinds of a holder's number."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """An applicant (申请人): a natural or legal person, in clear, for the competent department only."""

    person_id: str
    kind: Literal["natural", "legal"]
    name: str = field(repr=False)
    id_type_code: str
    id_number: str = field(repr=False)
    phone: str = field(repr=False)
    address: str = field(default="", repr=False)
