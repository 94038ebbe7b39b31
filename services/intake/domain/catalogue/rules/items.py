"""Service items: codes, limits, steps, form, signatures, instant rule."""

from __future__ import annotations

from chassis.errors import Fault, Violation
from services.intake.domain.catalogue.codes import ON_APPLICATION_TYPES, TASK_TYPES, parse_catalog_code
from services.intake.domain.catalogue.forms import FormField, FormFieldType
from services.intake.domain.catalogue.items import ServiceItem
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.rules.reasons import (
    CODE_WRONG,
    contradiction,
    item_path,
    repeated,
    unknown,
)
from standards.masking import MaskRule
from standards.working_days import TermUnit

APPLICANT_FACTS = frozenset(
    {"name", "id_number", "id_type", "sex", "birth_date", "age_years", "mobile", "address", "division"}
)
"""Facts of the applicant that data may refer to as ``applicant.<fact>``."""

MATERIAL_FACTS = frozenset({"materials.all_by_licence"})


def item_mistakes(catalogue: Catalogue, item: ServiceItem) -> list[Violation]:
    """Return what is wrong with an item itself; materials, product and offers have their own rules."""
    return [
        *_code_mistakes(item),
        *_limit_mistakes(item),
        *_level_mistakes(catalogue, item),
        *form_mistakes(item_path(item.item_id, "form"), item.form),
        *_instant_mistakes(item),
    ]


def form_mistakes(path: str, form: tuple[FormField, ...]) -> list[Violation]:
    """Return what is wrong with the fields of a form."""
    found = repeated(path, [field.code for field in form])
    for field in form:
        bare = field.personal and field.mask is MaskRule.NONE
        found += contradiction(f"{path}.{field.code}", "personal but without a mask rule", when=bare)
        odd = (field.type is FormFieldType.CHOICE) != bool(field.choices)
        found += contradiction(f"{path}.{field.code}", "choices belong to type choice only", when=odd)
        ranged = field.type is not FormFieldType.NUMBER and (field.minimum, field.maximum) != (None, None)
        found += contradiction(f"{path}.{field.code}", "a range belongs to type number only", when=ranged)
        found += repeated(f"{path}.{field.code}.choices", [choice.value for choice in field.choices])
    return found


def _code_mistakes(item: ServiceItem) -> list[Violation]:
    path = item_path(item.item_id, "catalog_code")
    try:
        code = parse_catalog_code(item.catalog_code)
    except Fault as fault:
        return [CODE_WRONG.at(path, value=item.catalog_code, problem=fault.code)]
    known = unknown(item_path(item.item_id, "task_type"), "task type", [item.task_type], TASK_TYPES)
    other = code.task_type != item.task_type
    passive = item.task_type not in ON_APPLICATION_TYPES
    return [
        *known,
        *contradiction(path, f"states task type {code.task_type}, not {item.task_type}", when=other),
        *contradiction(path, "no item of this type begins with an application", when=passive),
    ]


def _limit_mistakes(item: ServiceItem) -> list[Violation]:
    path = item_path(item.item_id, "promised")
    promised, statutory = item.promised.term, item.statutory.term
    comparable = promised.unit is statutory.unit
    found = contradiction(
        path, "longer than the statutory limit", when=comparable and promised.length > statutory.length
    )
    if promised.unit is TermUnit.WORKING_DAY:
        whole = sum(step.limit_working_days for step in item.steps)
        found += contradiction(path, "shorter than its steps together", when=whole > promised.length)
    baseless = [fee for fee in item.fees if not fee.basis.instrument]
    found += contradiction(item_path(item.item_id, "fees"), "a fee without its basis", when=bool(baseless))
    return found


def _level_mistakes(catalogue: Catalogue, item: ServiceItem) -> list[Violation]:
    levels = {str(level) for level in catalogue.real_name_levels}
    path = item_path(item.item_id, "real_name_level")
    wrong = item.signatures_required not in (1, 2)
    return [
        *unknown(path, "real-name level", [str(item.real_name_level)], levels),
        *contradiction(
            item_path(item.item_id, "signatures_required"),
            "a decision takes one or two signatures",
            when=wrong,
        ),
        *repeated(item_path(item.item_id, "steps"), [step.code for step in item.steps]),
        *repeated(item_path(item.item_id, "offers"), [offer.division for offer in item.offers]),
    ]


def _instant_mistakes(item: ServiceItem) -> list[Violation]:
    if item.instant is None:
        return []
    known = {f"form.{field.code}" for field in item.form} | MATERIAL_FACTS
    known |= {f"applicant.{fact}" for fact in APPLICANT_FACTS}
    facts = [condition.fact for condition in item.instant.conditions]
    path = item_path(item.item_id, "instant.conditions")
    return [
        *unknown(path, "fact", facts, known),
        *contradiction(path, "an instant rule without a condition approves everything", when=not facts),
    ]
