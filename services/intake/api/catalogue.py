"""What can be applied for; open to everyone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.intake.api.catalogue_views import (
    BundleSummary,
    BundleView,
    GuideView,
    ItemSummary,
    ItemView,
    MaterialListView,
    bundle_summary,
    bundle_view,
    item_summary,
    item_view,
    material_list_view,
    question_view,
)
from services.intake.api.doors import DoorsHere
from services.intake.api.shapes import Body, Target
from services.intake.domain.cases.plan import plan_case

router = APIRouter(prefix="/v1", tags=["catalogue"])
County = Annotated[str | None, Query(max_length=6, pattern=r"^[0-9]{6}$")]


class GuideBody(Body):
    """For what, where, and the answers to the guide's questions."""

    target: Target
    county: str = Field(pattern=r"^[0-9]{6}$")
    answers: dict[str, str] = Field(default_factory=dict, max_length=100)


@router.get("/catalogue/items", summary="事项列表")
async def list_items(doors: DoorsHere, county: County = None) -> list[ItemSummary]:
    """Return the service items, of one county or all."""
    catalogue = doors.catalogue()
    items = catalogue.offered_in(county) if county else catalogue.items.values()
    return [item_summary(each) for each in items]


@router.get("/catalogue/items/{item_id}", summary="办事指南")
async def get_item(item_id: str, doors: DoorsHere) -> ItemView:
    """Return one service item with conditions, limits, fees, materials, form and where it is offered."""
    return item_view(doors.catalogue(), doors.catalogue().item(item_id))


@router.get("/catalogue/items/{item_id}/guide", summary="事项情形引导")
async def get_item_guide(item_id: str, doors: DoorsHere) -> GuideView:
    """Return the questions whose answers give the exact material list."""
    return GuideView(questions=[question_view(each) for each in doors.catalogue().item_questions(item_id)])


@router.get("/catalogue/bundles", summary="一件事列表")
async def list_bundles(doors: DoorsHere, county: County = None) -> list[BundleSummary]:
    """Return the bundles, of one county or all."""
    found = doors.catalogue().bundles.values()
    return [bundle_summary(each) for each in found if county is None or county in each.divisions]


@router.get("/catalogue/bundles/{bundle_id}", summary="一件事办事指南")
async def get_bundle(bundle_id: str, doors: DoorsHere) -> BundleView:
    """Return one bundle with its parts, questions and form."""
    return bundle_view(doors.catalogue(), doors.catalogue().bundle(bundle_id))


@router.get("/catalogue/bundles/{bundle_id}/guide", summary="一件事情形引导")
async def get_bundle_guide(bundle_id: str, doors: DoorsHere) -> GuideView:
    """Return the questions of all parts, each asked once."""
    return GuideView(
        questions=[question_view(each) for each in doors.catalogue().bundle(bundle_id).questions]
    )


@router.post("/guides", summary="一次性告知材料清单")
async def tell_materials(body: GuideBody, doors: DoorsHere) -> MaterialListView:
    """Return the exact material list, once and in full, with the ways to supply each."""
    plan = plan_case(doors.catalogue(), body.target.kind, body.target.id, body.county, body.answers)
    return material_list_view(plan)
