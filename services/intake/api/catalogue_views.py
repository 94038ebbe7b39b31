"""The catalogue as it is shown: what a person needs to prepare, and no more."""

from __future__ import annotations

from typing import Any

from services.intake.api.shapes import TextView, View, text_view
from services.intake.domain.cases.materials import allowed_supplies
from services.intake.domain.cases.plan import CasePlan
from services.intake.domain.catalogue.bundles import Bundle
from services.intake.domain.catalogue.forms import FormField
from services.intake.domain.catalogue.guide import MaterialNeed
from services.intake.domain.catalogue.items import GuideQuestion, Limit, Material, ServiceItem
from services.intake.domain.catalogue.model import Catalogue
from standards.working_days import Term


class TermView(View):
    """A length of time in its unit: working_day, day, month, year."""

    length: int
    unit: str


class ItemSummary(View):
    """One line of the list of service items."""

    item_id: str
    version: str
    name: TextView
    summary: TextView
    counties: list[str]
    real_name_level: int
    promised: TermView


class BundleSummary(View):
    """One line of the list of bundles."""

    bundle_id: str
    version: str
    name: TextView
    summary: TextView
    counties: list[str]
    parts: list[str]


class ChoiceView(View):
    """One option or answer."""

    value: str
    zh: str
    en: str


class FormFieldView(View):
    """A field to be filled in."""

    code: str
    label: TextView
    type: str
    required: bool
    max_length: int
    hint: TextView | None
    minimum: str | None
    maximum: str | None
    choices: list[ChoiceView]


class QuestionView(View):
    """A question of the guide."""

    question_id: str
    text: TextView
    help: TextView
    answers: list[ChoiceView]


class GuideView(View):
    """The questions of an item or a bundle."""

    questions: list[QuestionView]


class MaterialView(View):
    """A material as an item asks for it."""

    code: str
    name: TextView
    necessity: str
    copies: int
    form: str
    minimum_grade: str
    replaced_by: list[str]
    note: TextView | None


class MaterialNeedView(View):
    """One line of the material list; ``supplies`` is empty when another part of the case produces it."""

    material: MaterialView
    items: list[str]
    supplied_by: str | None
    supplies: list[str]


class PlannedPartView(View):
    """Who decides what, within which time."""

    item_id: str
    item_code: str
    item_name: str
    department_code: str
    department_name: str
    promised: TermView
    statutory: TermView
    signatures_required: int


class MaterialListView(View):
    """The exact material list for one target, county and set of answers."""

    title: str
    county: str
    catalogue_version: str
    parts: list[PlannedPartView]
    materials: list[MaterialNeedView]
    form: list[FormFieldView]


class FeeView(View):
    """A fee in cents of a yuan, and the instrument that allows it."""

    name: TextView
    amount_cents: int
    basis: str


class OfferView(View):
    """Where an item is offered and by whom."""

    county: str
    department_code: str
    department: TextView
    item_code: str
    window: TextView
    open_hours: str


class ItemView(ItemSummary):
    """One service item in full."""

    statutory: TermView
    conditions: list[TextView]
    fees: list[FeeView]
    applicant_types: list[str]
    materials: list[MaterialView]
    form: list[FormFieldView]
    questions: list[QuestionView]
    offers: list[OfferView]
    licence_type_code: str | None


class BundleView(BundleSummary):
    """One bundle in full."""

    promised: TermView
    items: list[ItemSummary]
    questions: list[QuestionView]
    form: list[FormFieldView]


def term_view(term: Term) -> TermView:
    """Return a term."""
    return TermView(length=term.length, unit=term.unit.value)


def item_summary(item: ServiceItem) -> ItemSummary:
    """Return one line of the list."""
    return ItemSummary(**_item_base(item))


def item_view(catalogue: Catalogue, item: ServiceItem) -> ItemView:
    """Return one service item in full."""
    return ItemView(
        **_item_base(item),
        statutory=_limit(item.statutory),
        conditions=[text_view(each) for each in item.acceptance_conditions],
        fees=[
            FeeView(name=text_view(fee.name), amount_cents=fee.amount_cents, basis=fee.basis.instrument)
            for fee in item.fees
        ],
        applicant_types=list(item.applicant_types),
        materials=[material_view(each) for each in item.materials],
        form=[field_view(each) for each in item.form],
        questions=[question_view(each) for each in catalogue.item_questions(item.item_id)],
        offers=_offers(catalogue, item),
        licence_type_code=item.product.licence_type if item.product else None,
    )


def bundle_summary(bundle: Bundle) -> BundleSummary:
    """Return one line of the list."""
    return BundleSummary(**_bundle_base(bundle))


def bundle_view(catalogue: Catalogue, bundle: Bundle) -> BundleView:
    """Return one bundle in full."""
    return BundleView(
        **_bundle_base(bundle),
        promised=_limit(bundle.promised),
        items=[item_summary(each) for each in catalogue.parts(bundle.bundle_id)],
        questions=[question_view(each) for each in bundle.questions],
        form=[field_view(each) for each in bundle.form],
    )


def question_view(question: GuideQuestion) -> QuestionView:
    """Return a question with its answers."""
    answers = [ChoiceView(value=each.value, zh=each.zh, en=each.en) for each in question.answers]
    return QuestionView(
        question_id=question.question_id,
        text=text_view(question.text),
        help=text_view(question.help),
        answers=answers,
    )


def field_view(field: FormField) -> FormFieldView:
    """Return a form field."""
    return FormFieldView(
        code=field.code,
        label=text_view(field.label),
        type=field.type.value,
        required=field.required,
        max_length=field.max_length,
        hint=text_view(field.hint) if field.hint else None,
        minimum=str(field.minimum) if field.minimum is not None else None,
        maximum=str(field.maximum) if field.maximum is not None else None,
        choices=[ChoiceView(value=each.value, zh=each.zh, en=each.en) for each in field.choices],
    )


def material_view(material: Material) -> MaterialView:
    """Return a material."""
    return MaterialView(
        code=material.code,
        name=text_view(material.name),
        necessity=material.necessity.value,
        copies=material.copies,
        form=material.form.value,
        minimum_grade=material.minimum_grade.value,
        replaced_by=[each.licence_type for each in material.replaced_by],
        note=text_view(material.note) if material.note else None,
    )


def need_view(need: MaterialNeed) -> MaterialNeedView:
    """Return one line of a material list."""
    return MaterialNeedView(
        material=material_view(need.material),
        items=list(need.parts),
        supplied_by=need.supplied_by,
        supplies=[kind.value for kind in allowed_supplies(need)],
    )


def material_list_view(plan: CasePlan) -> MaterialListView:
    """Return the material list of a plan."""
    return MaterialListView(
        title=plan.title,
        county=plan.county_code,
        catalogue_version=plan.catalogue_version,
        parts=[
            PlannedPartView(
                item_id=item.item_id,
                item_code=item.item_code,
                item_name=item.item_name,
                department_code=item.department_code,
                department_name=item.department_name,
                promised=term_view(item.promised),
                statutory=term_view(item.statutory),
                signatures_required=item.signatures_required,
            )
            for item in plan.items
        ],
        materials=[need_view(each) for each in plan.needs],
        form=[field_view(each) for each in plan.form],
    )


def _item_base(item: ServiceItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "version": item.version,
        "name": text_view(item.name),
        "summary": text_view(item.summary),
        "counties": [offer.division for offer in item.offers],
        "real_name_level": item.real_name_level,
        "promised": _limit(item.promised),
    }


def _bundle_base(bundle: Bundle) -> dict[str, Any]:
    return {
        "bundle_id": bundle.bundle_id,
        "version": bundle.version,
        "name": text_view(bundle.name),
        "summary": text_view(bundle.summary),
        "counties": list(bundle.divisions),
        "parts": list(bundle.parts),
    }


def _offers(catalogue: Catalogue, item: ServiceItem) -> list[OfferView]:
    found = []
    for offer in item.offers:
        department = catalogue.department(offer.department_id)
        found.append(
            OfferView(
                county=offer.division,
                department_code=department.uscc,
                department=text_view(department.name),
                item_code=offer.task_code,
                window=text_view(department.window),
                open_hours=department.open_hours,
            )
        )
    return found


def _limit(limit: Limit) -> TermView:
    return term_view(limit.term)
