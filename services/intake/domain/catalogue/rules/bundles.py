"""Bundles: parts, questions, form and places fit together."""

from __future__ import annotations

from chassis.errors import Violation
from services.intake.domain.catalogue.bundles import Bundle
from services.intake.domain.catalogue.items import ServiceItem
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.rules.items import form_mistakes
from services.intake.domain.catalogue.rules.reasons import contradiction, repeated, unknown


def bundle_mistakes(catalogue: Catalogue) -> list[Violation]:
    """Return what is wrong with the bundles."""
    found: list[Violation] = []
    for bundle in catalogue.bundles.values():
        path = f"bundles/{bundle.bundle_id}.yaml"
        missing = unknown(f"{path}: parts", "service item", bundle.parts, catalogue.items)
        found += missing or _whole_bundle_mistakes(catalogue, bundle, path)
    return found


def _whole_bundle_mistakes(catalogue: Catalogue, bundle: Bundle, path: str) -> list[Violation]:
    parts = [catalogue.items[part] for part in bundle.parts]
    asked = {question.question_id for question in bundle.questions}
    needed = {guide.question for part in parts for guide in part.guide}
    few = len(parts) <= 1
    return [
        *contradiction(f"{path}: parts", "a bundle has at least two parts", when=few),
        *repeated(f"{path}: parts", bundle.parts),
        *contradiction(
            f"{path}: questions", f"not asked: {sorted(needed - asked)}", when=bool(needed - asked)
        ),
        *contradiction(
            f"{path}: questions", f"no part uses: {sorted(asked - needed)}", when=bool(asked - needed)
        ),
        *repeated(f"{path}: questions", [question.question_id for question in bundle.questions]),
        *form_mistakes(f"{path}: form", bundle.form),
        *_form_cover_mistakes(bundle, parts, path),
        *_place_mistakes(bundle, parts, path),
        *_feed_mistakes(catalogue, bundle, parts, path),
        *_circle_mistakes(parts, path),
    ]


def _form_cover_mistakes(bundle: Bundle, parts: list[ServiceItem], path: str) -> list[Violation]:
    there = {field.code: field for field in bundle.form}
    found: list[Violation] = []
    for field in (field for part in parts for field in part.form if field.code not in bundle.feeds):
        covering = there.get(field.code)
        problem = f"a part asks for {field.code}, the bundle does not"
        found += contradiction(f"{path}: form", problem, when=covering is None)
        problem = f"{field.code} is of another type than in a part"
        found += contradiction(
            f"{path}: form", problem, when=covering is not None and covering.type is not field.type
        )
        problem = f"{field.code} is required by a part, but not by the bundle"
        lax = covering is not None and field.required and not covering.required
        found += contradiction(f"{path}: form", problem, when=lax)
    return found


def _place_mistakes(bundle: Bundle, parts: list[ServiceItem], path: str) -> list[Violation]:
    return [
        violation
        for division in bundle.divisions
        for part in parts
        for violation in contradiction(
            f"{path}: divisions",
            f"{division} does not offer {part.item_id}",
            when=part.offer_in(division) is None,
        )
    ]


def _feed_mistakes(
    catalogue: Catalogue, bundle: Bundle, parts: list[ServiceItem], path: str
) -> list[Violation]:
    types = {
        part.item_id: catalogue.licence_types.get(part.product.licence_type) for part in parts if part.product
    }
    sources = {f"{name}.{code}" for name, made in types.items() if made for code in made.field_codes()}
    asked = {field.code for part in parts for field in part.form}
    twice = sorted(bundle.feeds.keys() & {field.code for field in bundle.form})
    return [
        *unknown(f"{path}: feeds", "form field", bundle.feeds, asked),
        *unknown(f"{path}: feeds", "product field", bundle.feeds.values(), sources),
        *contradiction(f"{path}: feeds", f"also asked in the form: {', '.join(twice)}", when=bool(twice)),
    ]


def _circle_mistakes(parts: list[ServiceItem], path: str) -> list[Violation]:
    """Return parts that wait for each other's products; such a bundle could never start."""
    makers = {part.product.licence_type: part.item_id for part in parts if part.product}
    waits = {
        part.item_id: {
            makers[replacement.licence_type]
            for material in part.materials
            for replacement in material.replaced_by
            if makers.get(replacement.licence_type, part.item_id) != part.item_id
        }
        for part in parts
    }
    while free := [name for name, others in waits.items() if not others]:
        waits = {name: others - set(free) for name, others in waits.items() if name not in free}
    problem = f"parts wait for each other: {', '.join(sorted(waits))}"
    return contradiction(f"{path}: parts", problem, when=bool(waits))
