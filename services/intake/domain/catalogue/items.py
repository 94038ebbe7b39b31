"""Service items with their materials, limits, guides, products and offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.intake.domain.catalogue.forms import FormField
from services.intake.domain.catalogue.instant import InstantRule
from services.intake.domain.catalogue.licences import CodeStatus, TrustGrade, Validity
from services.intake.domain.catalogue.places import Text
from standards.working_days import Term


class ProjectType(StrEnum):
    """办件类型: decided on the spot, or within a promised limit."""

    INSTANT = "1"
    PROMISED = "2"


class Source(StrEnum):
    """来源渠道 of a material."""

    APPLICANT = "applicant"
    GOVERNMENT = "government"
    OTHER = "other"


class Necessity(StrEnum):
    """Whether a material is always asked or only after certain answers of the guide."""

    REQUIRED = "required"
    CONDITIONAL = "conditional"


class MaterialKind(StrEnum):
    """材料类型: original, copy, either."""

    ORIGINAL = "original"
    COPY = "copy"
    EITHER = "either"


class MaterialForm(StrEnum):
    """材料形式: paper, electronic, either."""

    PAPER = "paper"
    ELECTRONIC = "electronic"
    EITHER = "either"


class MaterialHolder(StrEnum):
    """Whose licence replaces the material: decides by which code the registry is asked."""

    APPLICANT = "applicant"
    BUSINESS = "business"
    THIRD_PARTY = "third_party"


class Operation(StrEnum):
    """What an approval does to the licence: a new one, a renewed one, a changed one."""

    ISSUE = "issue"
    RENEW = "renew"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """An instrument and, where known for certain, its article."""

    instrument: str
    article: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A term with the text that sets it."""

    term: Term
    basis: LegalBasis | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee and the instrument that allows it (许可法 58); amounts in cents of a yuan."""

    name: Text
    amount_cents: int
    basis: LegalBasis


@dataclass(frozen=True, slots=True)
class LicenceReplacement:
    """A licence type that replaces a material, and the face fields the item needs of it, no others."""

    licence_type: str
    face_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaysOut:
    """What is offered when a material is not at hand: upload 上传, promise 告知承诺, tolerance 容缺受理."""

    upload: bool
    promise: bool
    tolerance: bool


@dataclass(frozen=True, slots=True)
class Material:
    """Application material 申请材料 as one item asks for it."""

    code: str
    name: Text
    source: Source
    necessity: Necessity
    kind: MaterialKind
    form: MaterialForm
    copies: int
    holder: MaterialHolder
    minimum_grade: TrustGrade
    ways_out: WaysOut
    replaced_by: tuple[LicenceReplacement, ...] = ()
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What an answer does to the material list; an exclusion wins over every inclusion."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemGuide:
    """The effect of each answer to one guide question on the materials of one item."""

    question: str
    answers: Mapping[str, Effect]


@dataclass(frozen=True, slots=True)
class GuideAnswer:
    """One possible answer."""

    value: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class GuideQuestion:
    """Guide question 情形引导, shared by all items that depend on the same circumstance."""

    question_id: str
    text: Text
    help: Text
    answers: tuple[GuideAnswer, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """What an approval produces: a licence type, its validity and the source of each face field.

    Sources: ``form.<code>``, ``applicant.<fact>``, ``department.<fact>``, ``decision.<fact>``,
    ``licence.<type code>.<face field>`` and ``text:<constant>``.
    """

    licence_type: str
    operation: Operation
    holder: MaterialHolder
    validity: Validity
    fills: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One step 办理环节 inside a department with its own limit in working days."""

    code: str
    name: Text
    limit_working_days: int


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When a case turns blue: remaining time at most this many working days or this share of the limit."""

    blue_working_days: int = 1
    blue_share_percent: int = 20


@dataclass(frozen=True, slots=True)
class Offer:
    """An item as one department of one division handles it 实施清单."""

    division: str
    department_id: str
    task_code: str
    handle_item_code: str


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """Service item 事项; a published version never changes, a case keeps the version it began with."""

    item_id: str
    version: str
    catalog_code: str
    code_status: CodeStatus
    name: Text
    summary: Text
    task_type: str
    project_type: ProjectType
    statutory: Limit
    promised: Limit
    legal_basis: tuple[LegalBasis, ...]
    acceptance_conditions: tuple[Text, ...]
    fees: tuple[Fee, ...]
    applicant_types: tuple[str, ...]
    real_name_level: int
    signatures_required: int
    on_site_visits: int
    online_depth: int
    cross_county: bool
    id_only: bool
    form: tuple[FormField, ...]
    materials: tuple[Material, ...]
    guide: tuple[ItemGuide, ...]
    steps: tuple[Step, ...]
    offers: tuple[Offer, ...]
    alarm: AlarmRule = AlarmRule()
    extension: Limit | None = None
    special_procedures: tuple[str, ...] = ()
    product: Product | None = None
    instant: InstantRule | None = None

    def offer_in(self, division: str) -> Offer | None:
        """Return how a division offers the item, or None."""
        return next((offer for offer in self.offers if offer.division == division), None)

    def material(self, code: str) -> Material | None:
        """Return the material with a code, or None."""
        return next((material for material in self.materials if material.code == code), None)
