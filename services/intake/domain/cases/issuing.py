"""What a result licence (结果证照) is made of: holder, validity and face, from the sources the item names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from chassis.errors import Kind, declare
from services.intake.domain.cases.applicant import CITIZEN_NUMBER, UNIFIED_CODE, Applicant
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.deadlines import china_date
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.states import PartState
from services.intake.domain.catalogue.items import MaterialHolder, Operation, Product
from services.intake.domain.catalogue.licences import ValidityKind
from standards.identifiers import citizen_birth_date
from standards.working_days import add_months

PART_NOT_APPROVED = declare(
    "PART_NOT_APPROVED",
    Kind.FAILED_PRECONDITION,
    "该件未准予许可，不能制证",
    "The part is not approved; no licence is made",
)
BUSINESS_NAME_FIELD, BUSINESS_CODE_FIELD = "business_name", "business_uscc"
"""Form fields that name the holder when the licence belongs to the business (catalogue rule)."""
_SEX_DIGIT = 16


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a licence is for (持证主体)."""

    name: str = field(repr=False)
    id_type_code: str
    id_number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssueData:
    """Everything certs needs to make the licence of one approved part."""

    case: Case
    part: Part
    licence_type_code: str
    holder: Holder
    face: Mapping[str, str]
    validity_years: int
    """0 = 长期."""
    decided_at: datetime
    operation: Operation = Operation.ISSUE
    predecessor_id: str = ""
    """The licence that is renewed or changed, where the applicant gave it as a material."""


def issue_data(case: Case, part: Part, applicant: Applicant, division_name: str) -> IssueData:
    """Return what the licence of a part is made of. Raises PART_NOT_APPROVED."""
    product, decided_at = part.item.product, part.decided_at
    if part.state not in {PartState.APPROVED, PartState.COMPLETED} or product is None or decided_at is None:
        raise PART_NOT_APPROVED()
    facts = _facts(case, part, applicant, division_name, product, decided_at)
    face = {code: facts.get(source, _constant(source)) for code, source in product.fills.items()}
    years = product.validity.years if product.validity.kind is ValidityKind.YEARS else 0
    return IssueData(
        case,
        part,
        product.licence_type,
        _holder(case, part, applicant, product),
        {code: value for code, value in face.items() if value},
        years or 0,
        decided_at,
        product.operation,
        predecessor_of(case, part, product),
    )


def predecessor_of(case: Case, part: Part, product: Product) -> str:
    """Return the licence that an item renews or changes, if the applicant supplied it to the part; else empty."""
    if product.operation is Operation.ISSUE:
        return ""
    given = (
        case.supply_of(part, need.material.code)
        for need in case.plan.needs
        if part.item.item_id in need.parts
    )
    found = (each.licence_id for each in given if each and each.licence_type_code == product.licence_type)
    return next(found, "")


def _holder(case: Case, part: Part, applicant: Applicant, product: Product) -> Holder:
    form = case.form_of(part)
    if product.holder is MaterialHolder.BUSINESS and form.get(BUSINESS_CODE_FIELD):
        return Holder(form.get(BUSINESS_NAME_FIELD, ""), UNIFIED_CODE, form[BUSINESS_CODE_FIELD])
    return Holder(applicant.name, applicant.id_type_code, applicant.id_number)


def _facts(
    case: Case, part: Part, applicant: Applicant, division_name: str, product: Product, decided_at: datetime
) -> dict[str, str]:
    shown = {each.code: each.shown for each in case.plan.form}
    facts = {
        f"form.{code}": shown[code](value) for code, value in case.form_of(part).items() if code in shown
    }
    facts |= {f"applicant.{name}": value for name, value in _applicant_facts(applicant, decided_at).items()}
    decided_on = china_date(decided_at)
    facts |= {
        "department.name": part.item.department_name,
        "department.uscc": part.item.department_code,
        "department.division": part.item.county_code,
        "department.division_name": division_name,
        "decision.decided_on": decided_on.isoformat(),
        "decision.valid_from": decided_on.isoformat(),
        "decision.valid_until": _valid_until(product, decided_on),
        "decision.number": part.project_no or "",
        "decision.conditions": part.signatures[-1].opinion if part.signatures else "",
    }
    for need in case.plan.needs:
        supplied = case.supply_of(part, need.material.code)
        if supplied is not None and supplied.licence_type_code:
            prefix = f"licence.{supplied.licence_type_code}."
            facts |= {prefix + code: value for code, value in supplied.face.items()}
    return facts


def _applicant_facts(applicant: Applicant, decided_at: datetime) -> dict[str, str]:
    facts = {
        "name": applicant.name,
        "id_number": applicant.id_number,
        "id_type": applicant.id_type_code,
        "mobile": applicant.phone,
        "address": applicant.address,
    }
    if applicant.id_type_code != CITIZEN_NUMBER:
        return facts
    born, today = citizen_birth_date(applicant.id_number), china_date(decided_at)
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return facts | {
        "birth_date": born.isoformat(),
        "sex": "男" if int(applicant.id_number[_SEX_DIGIT]) % 2 else "女",
        "age_years": str(age),
        "division": applicant.id_number[:6],
    }


def _valid_until(product: Product, decided_on: date) -> str:
    """Return the last day of the term, as certs counts it: the day before the anniversary."""
    if product.validity.kind is not ValidityKind.YEARS or not product.validity.years:
        return ""
    anniversary = add_months(decided_on, 12 * product.validity.years)
    clipped = anniversary.day < decided_on.day  # 29 February
    return (anniversary if clipped else anniversary - timedelta(days=1)).isoformat()


def _constant(source: str) -> str:
    return source.removeprefix("text:") if source.startswith("text:") else ""


def taken_over(product: Product | None, licence_type: str) -> frozenset[str]:
    """Return the face fields of a licence type that the product of an item takes over."""
    prefix = f"licence.{licence_type}."
    sources = product.fills.values() if product else ()
    return frozenset(source.removeprefix(prefix) for source in sources if source.startswith(prefix))
