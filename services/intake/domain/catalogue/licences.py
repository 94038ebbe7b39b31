"""Licence types 证照类型: catalogue record of GB/T 36902 and face fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from services.intake.domain.catalogue.places import Text
from standards.masking import MaskRule


class CodeStatus(StrEnum):
    """Whether a code was seen published or was made by us in the right structure."""

    NATIONAL = "national"
    PROVISIONAL = "provisional"


class HolderCategory(StrEnum):
    """持证主体类别: natural person, organisation, mixed, other."""

    NATURAL_PERSON = "natural_person"
    ORGANISATION = "organisation"
    MIXED = "mixed"
    OTHER = "other"


class LicenceCategory(StrEnum):
    """目录类别: 证照, 批文, 证明."""

    LICENCE = "licence"
    APPROVAL = "approval"
    PROOF = "proof"


class AuthorityLevel(StrEnum):
    """Level of a defining or issuing authority."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWN = "town"
    OTHER = "other"


class TrustGrade(StrEnum):
    """Material grade 材料等级: A issued, B checked at a window, C uploaded, D self-made with a promise."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"

    def satisfies(self, minimum: TrustGrade) -> bool:
        """Whether a material of this grade may stand where ``minimum`` is asked."""
        return self.value <= minimum.value


class ValidityKind(StrEnum):
    """How the end of a licence's validity is found."""

    YEARS = "years"
    LONG_TERM = "long_term"
    STATED = "stated"


class FieldType(StrEnum):
    """Type of a face field."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Validity:
    """有效期限: so many years from the decision, long term, or stated on each licence."""

    kind: ValidityKind
    years: int | None = None


@dataclass(frozen=True, slots=True)
class Definer:
    """Authority that defines a licence type 证照定义机构."""

    name: str
    uscc: str
    level: AuthorityLevel


@dataclass(frozen=True, slots=True)
class FaceField:
    """Face field 照面项 of a licence type; ``code`` is ``KZ_`` and pinyin initials (GB/T 36903)."""

    code: str
    zh: str
    en: str
    type: FieldType
    required: bool
    max_length: int
    personal: bool = False
    mask: MaskRule = MaskRule.NONE


@dataclass(frozen=True, slots=True)
class Display:
    """What the readable form of the licence shows: a title and fields in order."""

    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LicenceType:
    """Licence type 证照类型 with the schema that every licence of it fills."""

    code: str
    code_status: CodeStatus
    name: Text
    category: LicenceCategory
    definer: Definer
    issuing_level: AuthorityLevel
    holder_category: HolderCategory
    validity: Validity
    trust_grade: TrustGrade
    freshness_hours: int
    face_fields: tuple[FaceField, ...]
    display: Display
    registry: Mapping[str, Any] = field(default_factory=dict)
    """What only the registry goes by; it reads and judges it."""

    def field_codes(self) -> frozenset[str]:
        """Return the codes of all face fields."""
        return frozenset(each.code for each in self.face_fields)
