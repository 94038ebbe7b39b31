"""What a case was begun under: a snapshot of the catalogue that no later version changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare, refuse
from services.intake.domain.catalogue.forms import FormField, FormFieldType, form_mistakes
from services.intake.domain.catalogue.guide import MaterialNeed, answer_mistakes
from services.intake.domain.catalogue.items import GuideQuestion, Product, ServiceItem
from services.intake.domain.catalogue.model import Catalogue
from standards.working_days import Term

NATURAL_PERSON = "1"
"""自然人 in ``applicant_types`` of the item tables (服务对象); every other code is an organisation."""
TargetKind = Literal["item", "bundle"]

CASE_NOT_OFFERED = declare(
    "CASE_NOT_OFFERED",
    Kind.FAILED_PRECONDITION,
    "{county} 尚未开通该“一件事”",
    "{county} does not offer this bundle",
)
REAL_NAME_LEVEL_TOO_LOW = declare(
    "REAL_NAME_LEVEL_TOO_LOW",
    Kind.PERMISSION_DENIED,
    "该事项要求实名等级 {required}，当前为 {found}，请提升后再办理",
    "The item asks for real-name level {required}; this log-in has {found}",
)
APPLICANT_NOT_ADMITTED = declare(
    "APPLICANT_NOT_ADMITTED",
    Kind.FAILED_PRECONDITION,
    "“{item}”不面向该类申请人，请切换办事主体",
    "{item} is not for applicants of this kind; act for yourself or for your organisation",
)
TARGET_KIND_UNKNOWN = declare(
    "TARGET_KIND_UNKNOWN", Kind.INVALID_ARGUMENT, "应为 item 或 bundle", "Must be item or bundle"
)


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """One item as one department of the county handles it, in the version the case began with."""

    item_id: str
    item_version: str
    item_code: str
    """实施编码, 31 characters; what other services and departments call ``item_code``."""
    item_name: str
    county_code: str
    department_code: str
    """USCC of the department that decides."""
    department_name: str
    signatures_required: int
    promised: Term
    statutory: Term
    form_codes: tuple[str, ...]
    real_name_level: int = 1
    product: Product | None = None
    applicant_types: tuple[str, ...] = ()
    names_business: bool = False
    """Whether its form names the organisation it is for, so that a natural person may bring it."""

    @property
    def licence_type_code(self) -> str | None:
        """The type of licence an approval produces, None when it produces none."""
        return self.product.licence_type if self.product else None


@dataclass(frozen=True, slots=True)
class CasePlan:
    """Everything the rules of a case need to know of the catalogue."""

    target_kind: TargetKind
    target_id: str
    number_prefix: str
    title: str
    county_code: str
    catalogue_version: str
    items: tuple[ItemPlan, ...]
    needs: tuple[MaterialNeed, ...]
    form: tuple[FormField, ...]
    questions: tuple[GuideQuestion, ...] = ()

    def need(self, material_code: str) -> MaterialNeed | None:
        """Return one line of the material list, or None."""
        return next((need for need in self.needs if need.material.code == material_code), None)

    def named_business(self, form: Mapping[str, str]) -> str:
        """Return the credit code of the organisation that a form names, empty when it names none."""
        codes = (field.code for field in self.form if field.type is FormFieldType.USCC)
        return next((form[code] for code in codes if form.get(code)), "")

    def items_needing(self, need: MaterialNeed) -> tuple[ItemPlan, ...]:
        """Return the items that need a material, in order."""
        return tuple(item for item in self.items if item.item_id in need.parts)

    @property
    def real_name_level(self) -> int:
        """The highest real-name level any item asks for."""
        return max(item.real_name_level for item in self.items)


def require_level(plan: CasePlan, assurance: int) -> None:
    """Do nothing for a log-in of the level every item asks for. Raises REAL_NAME_LEVEL_TOO_LOW."""
    if assurance < plan.real_name_level:
        raise REAL_NAME_LEVEL_TOO_LOW(required=plan.real_name_level, found=assurance)


def require_applicant(plan: CasePlan, kind: Literal["natural", "legal"]) -> None:
    """Do nothing for an applicant whom every item is for. Raises APPLICANT_NOT_ADMITTED.

    A natural person may also bring what is for organisations where the form names the organisation.
    """
    for item in plan.items:
        if kind == "natural":
            admitted = NATURAL_PERSON in item.applicant_types or item.names_business
        else:
            admitted = any(each != NATURAL_PERSON for each in item.applicant_types)
        if item.applicant_types and not admitted:
            raise APPLICANT_NOT_ADMITTED(item=item.item_name)


def plan_case(
    catalogue: Catalogue, kind: str, target_id: str, county: str, answers: Mapping[str, str]
) -> CasePlan:
    """Return the plan of an item or a bundle in a county, for these answers of the guide.

    Raises INVALID_REQUEST (target kind, answers), ITEM_NOT_FOUND, BUNDLE_NOT_FOUND, ITEM_NOT_OFFERED,
    CASE_NOT_OFFERED.
    """
    if kind == "item":
        return _item_case(catalogue, target_id, county, answers)
    if kind == "bundle":
        return _bundle_case(catalogue, target_id, county, answers)
    refuse([TARGET_KIND_UNKNOWN.at("target.kind")])
    raise AssertionError(kind)


def draft_mistakes(
    catalogue: Catalogue, kind: str, target_id: str, answers: Mapping[str, str], form: Mapping[str, str]
) -> list[Violation]:
    """Return every wrong answer and form field of a draft; what is not filled in yet is no mistake.

    Raises ITEM_NOT_FOUND, BUNDLE_NOT_FOUND.
    """
    if kind == "bundle":
        bundle = catalogue.bundle(target_id)
        questions, fields = bundle.questions, bundle.form
    else:
        questions, fields = catalogue.item_questions(target_id), catalogue.item(target_id).form
    found = answer_mistakes(questions, answers)
    return found + [each for each in form_mistakes(fields, form) if each.reason is not FIELD_REQUIRED]


def _item_case(catalogue: Catalogue, item_id: str, county: str, answers: Mapping[str, str]) -> CasePlan:
    item = catalogue.item(item_id)
    planned = _plan_item(catalogue, item, county)
    return CasePlan(
        target_kind="item",
        target_id=item_id,
        number_prefix=planned.item_code,
        title=item.name.zh,
        county_code=county,
        catalogue_version=catalogue.version,
        items=(planned,),
        needs=catalogue.item_materials(item_id, answers),
        form=item.form,
        questions=catalogue.item_questions(item_id),
    )


def _bundle_case(catalogue: Catalogue, bundle_id: str, county: str, answers: Mapping[str, str]) -> CasePlan:
    bundle = catalogue.bundle(bundle_id)
    if county not in bundle.divisions:
        raise CASE_NOT_OFFERED(county=county)
    return CasePlan(
        target_kind="bundle",
        target_id=bundle_id,
        number_prefix=_prefix(county + bundle.code),
        title=bundle.name.zh,
        county_code=county,
        catalogue_version=catalogue.version,
        items=tuple(_plan_item(catalogue, item, county) for item in catalogue.parts(bundle_id)),
        needs=catalogue.bundle_materials(bundle_id, answers),
        form=bundle.form,
        questions=bundle.questions,
    )


def _plan_item(catalogue: Catalogue, item: ServiceItem, county: str) -> ItemPlan:
    offer = catalogue.offer(item.item_id, county)
    department = catalogue.department(offer.department_id)
    return ItemPlan(
        item_id=item.item_id,
        item_version=item.version,
        item_code=offer.task_code,
        item_name=item.name.zh,
        county_code=county,
        department_code=department.uscc,
        department_name=department.name.zh,
        signatures_required=item.signatures_required,
        promised=item.promised.term,
        statutory=item.statutory.term,
        form_codes=tuple(field.code for field in item.form),
        real_name_level=item.real_name_level,
        product=item.product,
        applicant_types=item.applicant_types,
        names_business=any(field.type is FormFieldType.USCC for field in item.form),
    )


def _prefix(code: str) -> str:
    """Return the code as the case number can carry it: upper case, letters and digits, at most 31."""
    return "".join(c for c in code.upper() if c.isascii() and c.isalnum())[:31]
