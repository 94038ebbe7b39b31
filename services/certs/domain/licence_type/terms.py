"""The words of a catalogue record (目录信息, GB/T 36902), each with the values it may have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CodeStatus(StrEnum):
    """Whether a type's code was seen published, or made by us in the right structure."""

    NATIONAL = "national"
    PROVISIONAL = "provisional"


class Category(StrEnum):
    """目录类别: 证照, 批文, 证明."""

    LICENCE = "licence"
    APPROVAL = "approval"
    PROOF = "proof"


class AuthorityLevel(StrEnum):
    """证照定义机构级别 and 证照颁发机构级别."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWN = "town"
    OTHER = "other"


class HolderCategory(StrEnum):
    """持证主体类别: 自然人, 法人和其他组织, 混合, 其他."""

    NATURAL_PERSON = "natural_person"
    ORGANISATION = "organisation"
    MIXED = "mixed"
    OTHER = "other"


class ValidityKind(StrEnum):
    """How the end of a licence's term is found."""

    YEARS = "years"
    LONG_TERM = "long_term"
    STATED = "stated"


class TrustGrade(StrEnum):
    """可信等级 (国办函〔2016〕108号): A issued and sealed, B seen at a window, C uploaded, D self-made."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


class FieldType(StrEnum):
    """What the values of a face field are; a date is YYYY-MM-DD, a number a decimal text."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Definer:
    """The authority that defines a type (证照定义机构)."""

    name: str = ""
    uscc: str = ""
    level: AuthorityLevel = AuthorityLevel.OTHER


@dataclass(frozen=True, slots=True)
class Validity:
    """有效期限范围: so many years from the decision, without end, or stated on each licence."""

    kind: ValidityKind = ValidityKind.STATED
    years: int = 0
    """Only of kind `YEARS`; 0 otherwise."""


LONG_TERM_TEXT = "长期"


@dataclass(frozen=True, slots=True)
class RelatedItem:
    """A service item that results in a type (关联事项): its code, and its name where it is known."""

    code: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """The law by which the type is issued; the article is empty where it is not certain."""

    instrument: str
    article: str = ""


ORDERED_ACTS = ("suspend", "restore", "cancel", "revoke", "forfeit", "change", "renew", "copy", "inspect")
"""What an issuer orders about a licence, by the words of `services.certs.domain.life.order`."""
TWO_PEOPLE = ("forfeit", "revoke")
"""Acts that take two people where a type says nothing: a penalty (行政处罚法 42) and what undoes an issue."""
