"""Guide 情形引导: from answers to the exact material list, told once and in full (一次性告知)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chassis.errors import Kind, Violation, declare, refuse
from services.intake.domain.catalogue.items import (
    GuideQuestion,
    LicenceReplacement,
    Material,
    Necessity,
    ServiceItem,
    WaysOut,
)

GUIDE_ANSWER_MISSING = declare(
    "GUIDE_ANSWER_MISSING", Kind.INVALID_ARGUMENT, "请回答这个问题", "Answer this question"
)
GUIDE_ANSWER_UNKNOWN = declare(
    "GUIDE_ANSWER_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "请从给出的答案中选择",
    "Choose one of the answers: {allowed}",
)
GUIDE_QUESTION_UNKNOWN = declare(
    "GUIDE_QUESTION_UNKNOWN", Kind.INVALID_ARGUMENT, "没有这个问题", "There is no such question"
)


@dataclass(frozen=True, slots=True)
class MaterialNeed:
    """One line of the list: the material at its strictest, and the items that need it.

    ``supplied_by`` names the part whose own product replaces the material; it is then not asked.
    """

    material: Material
    parts: tuple[str, ...]
    supplied_by: str | None = None


def material_list(
    parts: Sequence[ServiceItem], questions: Iterable[GuideQuestion], answers: Mapping[str, str]
) -> tuple[MaterialNeed, ...]:
    """Return what must be handed in for the items together, each material once.

    A material is needed if it is required or an answer includes it, and no answer excludes it.
    Order: as the parts list them. Raises INVALID_REQUEST naming every missing, wrong and unknown
    answer at once, as ``answers.<question_id>``.
    """
    refuse(answer_mistakes(questions, answers))
    makers = {part.product.licence_type: part.item_id for part in parts if part.product}
    needs: dict[str, MaterialNeed] = {}
    for part in parts:
        for material in _needed_by(part, answers):
            known = needs.get(material.code)
            merged = MaterialNeed(
                merge_materials(known.material, material) if known else material,
                (*known.parts, part.item_id) if known else (part.item_id,),
            )
            needs[material.code] = merged
    return tuple(replace(need, supplied_by=_maker(need, makers)) for need in needs.values())


def answer_mistakes(questions: Iterable[GuideQuestion], answers: Mapping[str, str]) -> list[Violation]:
    """Return what is wrong with the answers, all of it."""
    asked = {question.question_id: question for question in questions}
    found = [GUIDE_QUESTION_UNKNOWN.at(f"answers.{name}") for name in sorted(answers.keys() - asked.keys())]
    for name, question in asked.items():
        allowed = [answer.value for answer in question.answers]
        if name not in answers:
            found.append(GUIDE_ANSWER_MISSING.at(f"answers.{name}"))
        elif answers[name] not in allowed:
            found.append(GUIDE_ANSWER_UNKNOWN.at(f"answers.{name}", allowed=", ".join(allowed)))
    return found


def merge_materials(one: Material, other: Material) -> Material:
    """Return one material that satisfies both: strictest grade, most copies, ways out that both allow.

    Licence types that replace it are those that both accept, with the face fields of both.
    """
    ways_out = WaysOut(
        one.ways_out.upload and other.ways_out.upload,
        one.ways_out.promise and other.ways_out.promise,
        one.ways_out.tolerance and other.ways_out.tolerance,
    )
    fields = {replacement.licence_type: replacement.face_fields for replacement in other.replaced_by}
    replaced_by = tuple(
        LicenceReplacement(
            each.licence_type, tuple(dict.fromkeys((*each.face_fields, *fields[each.licence_type])))
        )
        for each in one.replaced_by
        if each.licence_type in fields
    )
    return replace(
        one,
        necessity=min(one.necessity, other.necessity, key=list(Necessity).index),
        copies=max(one.copies, other.copies),
        minimum_grade=min(one.minimum_grade, other.minimum_grade),
        ways_out=ways_out,
        replaced_by=replaced_by,
    )


def _needed_by(item: ServiceItem, answers: Mapping[str, str]) -> list[Material]:
    effects = [guide.answers[answers[guide.question]] for guide in item.guide]
    included = {code for effect in effects for code in effect.includes}
    excluded = {code for effect in effects for code in effect.excludes}
    return [
        material
        for material in item.materials
        if (material.necessity is Necessity.REQUIRED or material.code in included)
        and material.code not in excluded
    ]


def _maker(need: MaterialNeed, makers: Mapping[str, str]) -> str | None:
    candidates = (makers.get(replacement.licence_type) for replacement in need.material.replaced_by)
    return next((maker for maker in candidates if maker and maker not in need.parts), None)
