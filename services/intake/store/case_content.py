"""What of a case is stored as one encrypted value, and the plans that many cases share."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from chassis.fields import FieldCipher
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.materials import Supplied
from services.intake.domain.cases.part import Defect, Part
from services.intake.domain.cases.plan import CasePlan

CONTENT_FIELD = "service_case.content"
TEXTS_FIELD = "case_part.texts"
OPINION_FIELD = "part_signature.opinion"
RATING_FIELD = "case_rating.text"
MAX_PLANS = 256


@dataclass(frozen=True, slots=True)
class Content:
    """What the applicant gave: it may be personal, so it is encrypted as a whole."""

    answers: Mapping[str, str]
    form: dict[str, str]
    supplies: dict[str, Supplied]
    staged_form: dict[str, str]
    staged_supplies: dict[str, Supplied]
    part_form: dict[str, dict[str, str]]
    part_supplies: dict[str, dict[str, Supplied]]
    salt: str


@dataclass(frozen=True, slots=True)
class Texts:
    """What the department wrote to the applicant."""

    defects: tuple[Defect, ...]
    refusal_reason: str
    competent_authority: str


_content = TypeAdapter(Content)
_texts = TypeAdapter(Texts)
_plan = TypeAdapter(CasePlan)


def seal_content(cipher: FieldCipher, case: Case) -> bytes:
    """Return the encrypted content of a case."""
    content = Content(
        case.answers,
        case.form,
        case.supplies,
        case.staged_form,
        case.staged_supplies,
        case.part_form,
        case.part_supplies,
        case.salt,
    )
    return cipher.encrypt(_content.dump_json(content).decode(), field=CONTENT_FIELD)


def open_content(cipher: FieldCipher, data: bytes) -> Content:
    """Return the content of a case."""
    return _content.validate_json(cipher.decrypt(data, field=CONTENT_FIELD))


def seal_texts(cipher: FieldCipher, part: Part) -> bytes:
    """Return the encrypted texts of a part."""
    texts = Texts(part.defects, part.refusal_reason, part.competent_authority)
    return cipher.encrypt(_texts.dump_json(texts).decode(), field=TEXTS_FIELD)


def open_texts(cipher: FieldCipher, data: bytes) -> Texts:
    """Return the texts of a part."""
    return _texts.validate_json(cipher.decrypt(data, field=TEXTS_FIELD))


def dump_plan(plan: CasePlan) -> tuple[str, str]:
    """Return the digest and the JSON of a plan; equal plans have equal digests."""
    text = _plan.dump_json(plan).decode()
    return hashlib.sha256(text.encode()).hexdigest(), text


class PlanCache:
    """Plans never change, so a process parses each once; the least recently used ones go first."""

    def __init__(self, max_plans: int = MAX_PLANS) -> None:
        self._plans: OrderedDict[str, CasePlan] = OrderedDict()
        self._max_plans = max_plans

    def get(self, digest: str) -> CasePlan | None:
        """Return a known plan, or None."""
        plan = self._plans.get(digest)
        if plan is not None:
            self._plans.move_to_end(digest)
        return plan

    def read(self, digest: str, text: str) -> CasePlan:
        """Return the plan of a JSON text, and know it from now on."""
        plan = self._plans[digest] = _plan.validate_json(text)
        while len(self._plans) > self._max_plans:
            self._plans.popitem(last=False)
        return plan
