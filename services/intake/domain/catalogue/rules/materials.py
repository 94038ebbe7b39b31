"""Materials: replacements, ways out, guide effects, and one meaning per material code."""

from __future__ import annotations

from chassis.errors import Violation
from services.intake.domain.catalogue.items import ItemGuide, Material, Necessity, ServiceItem
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.rules.reasons import contradiction, item_path, repeated, unknown


def material_mistakes(catalogue: Catalogue, item: ServiceItem) -> list[Violation]:
    """Return what is wrong with the materials and the guide of an item."""
    found = repeated(item_path(item.item_id, "materials"), [material.code for material in item.materials])
    for material in item.materials:
        found += _replacement_mistakes(catalogue, item, material)
    for guide in item.guide:
        found += _guide_mistakes(catalogue, item, guide)
    found += repeated(item_path(item.item_id, "guide"), [guide.question for guide in item.guide])
    included = {code for guide in item.guide for effect in guide.answers.values() for code in effect.includes}
    for material in item.materials:
        dead = material.necessity is Necessity.CONDITIONAL and material.code not in included
        path = item_path(item.item_id, f"materials.{material.code}")
        found += contradiction(path, "conditional, but no answer includes it", when=dead)
    return found


def shared_material_mistakes(catalogue: Catalogue) -> list[Violation]:
    """Return where items mean different things by the same material code; they could not be merged."""
    meanings: dict[str, tuple[object, ...]] = {}
    found: list[Violation] = []
    for item in catalogue.items.values():
        for material in item.materials:
            meaning = (material.name, material.source, material.kind, material.form, material.holder)
            path = item_path(item.item_id, f"materials.{material.code}")
            other = meanings.setdefault(material.code, meaning) != meaning
            found += contradiction(path, "another item means something else by this code", when=other)
    return found


def _replacement_mistakes(catalogue: Catalogue, item: ServiceItem, material: Material) -> list[Violation]:
    path = item_path(item.item_id, f"materials.{material.code}")
    found: list[Violation] = []
    for replacement in material.replaced_by:
        licence_type = catalogue.licence_types.get(replacement.licence_type)
        if licence_type is None:
            found += unknown(path, "licence type", [replacement.licence_type], ())
            continue
        found += unknown(path, "face field", replacement.face_fields, licence_type.field_codes())
        weak = not licence_type.trust_grade.satisfies(material.minimum_grade)
        found += contradiction(path, "the licence that replaces it has too low a grade", when=weak)
    ways = material.ways_out
    stuck = not (material.replaced_by or ways.upload or ways.promise or ways.tolerance)
    found += contradiction(path, "no licence replaces it and no way out is offered", when=stuck)
    return found


def _guide_mistakes(catalogue: Catalogue, item: ServiceItem, guide: ItemGuide) -> list[Violation]:
    path = item_path(item.item_id, f"guide.{guide.question}")
    question = catalogue.questions.get(guide.question)
    if question is None:
        return unknown(path, "guide question", [guide.question], ())
    allowed = {answer.value for answer in question.answers}
    touched = [code for effect in guide.answers.values() for code in (*effect.includes, *effect.excludes)]
    return [
        *unknown(path, "answer", guide.answers, allowed),
        *contradiction(path, "an answer has no effect stated", when=bool(allowed - guide.answers.keys())),
        *unknown(path, "material", touched, [material.code for material in item.materials]),
    ]
