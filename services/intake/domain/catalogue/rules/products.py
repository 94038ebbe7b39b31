"""Products: every required face field of the licence has a source that exists."""

from __future__ import annotations

from chassis.errors import Violation
from services.intake.domain.catalogue.items import MaterialHolder, Product, ServiceItem
from services.intake.domain.catalogue.licences import HolderCategory, ValidityKind
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.rules.items import APPLICANT_FACTS
from services.intake.domain.catalogue.rules.reasons import contradiction, item_path, unknown

DEPARTMENT_FACTS = frozenset({"name", "uscc", "division", "division_name"})
DECISION_FACTS = frozenset({"decided_on", "valid_from", "valid_until", "number", "conditions"})
BUSINESS_FIELDS = frozenset({"business_name", "business_uscc"})
"""Form fields that name the holder when the licence or a material belongs to the business."""


def product_mistakes(catalogue: Catalogue, item: ServiceItem) -> list[Violation]:
    """Return what is wrong with the product of an item and with whom its papers belong to."""
    holders = {material.holder for material in item.materials}
    if item.product:
        holders.add(item.product.holder)
    nameless = MaterialHolder.BUSINESS in holders and not _form_codes(item) >= BUSINESS_FIELDS
    found = contradiction(
        item_path(item.item_id, "form"),
        "papers of the business, but no field names the business",
        when=nameless,
    )
    return found + (_fill_mistakes(catalogue, item, item.product) if item.product else [])


def _fill_mistakes(catalogue: Catalogue, item: ServiceItem, product: Product) -> list[Violation]:
    path = item_path(item.item_id, "product")
    licence_type = catalogue.licence_types.get(product.licence_type)
    if licence_type is None:
        return unknown(path, "licence type", [product.licence_type], ())
    required = {field.code for field in licence_type.face_fields if field.required}
    empty = sorted(required - product.fills.keys())
    validity = product.validity
    mismatch = (validity.kind is ValidityKind.YEARS) != (validity.years is not None)
    personal = product.holder is MaterialHolder.BUSINESS
    wrong_holder = personal and licence_type.holder_category is HolderCategory.NATURAL_PERSON
    third = product.holder is MaterialHolder.THIRD_PARTY
    return [
        *unknown(path, "face field", product.fills, licence_type.field_codes()),
        *contradiction(path, f"required face fields without a source: {', '.join(empty)}", when=bool(empty)),
        *contradiction(path, "years belong to kind years, and only there", when=mismatch),
        *contradiction(path, "this licence type is for persons", when=wrong_holder),
        *contradiction(path, "nobody applies for a licence of a third party", when=third),
        *unknown(path, "source", [each for each in product.fills.values() if not _known(item, each)], ()),
    ]


def _known(item: ServiceItem, source: str) -> bool:
    kind, _, rest = source.partition(".")
    match kind:
        case "form":
            return rest in _form_codes(item)
        case "applicant":
            return rest in APPLICANT_FACTS
        case "department":
            return rest in DEPARTMENT_FACTS
        case "decision":
            return rest in DECISION_FACTS
        case "licence":
            return _offered_by_a_material(item, *rest.partition(".")[::2])
        case _:
            return source.startswith("text:")


def _offered_by_a_material(item: ServiceItem, licence_type: str, face_field: str) -> bool:
    return any(
        replacement.licence_type == licence_type and face_field in replacement.face_fields
        for material in item.materials
        for replacement in material.replaced_by
    )


def _form_codes(item: ServiceItem) -> set[str]:
    return {field.code for field in item.form}
