"""All routes under one router that carries what they work with."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from chassis.auth import keys_of
from services.intake.api import (
    cases,
    catalogue,
    disputes,
    entrustments,
    handing_in,
    inbox,
    licence_uses,
    licences,
    materials,
    me,
    platform_log_in,
    sessions,
    verification_page,
    verifications,
)
from services.intake.api.doors import Doors, DoorsHere, carrying
from services.intake.api.shapes import problems

public = APIRouter(tags=["keys"])


@public.get("/.well-known/jwks.json", summary="公钥")
async def publish_keys(doors: DoorsHere) -> dict[str, Any]:
    """Return the public keys that verify receipts and archive manifests without the network (RFC 7517)."""
    return dict(keys_of(doors.receipt_keys).as_dict(private=False))


@public.get("/v1/terminals", summary="自助终端")
async def list_terminals(doors: DoorsHere) -> list[dict[str, str]]:
    """Return where the terminals stand."""
    return [
        {
            "terminal_id": each.terminal_id,
            "county": each.county_code,
            "place": each.place.zh,
            "place_en": each.place.en,
        }
        for each in doors.terminals.values()
    ]


def api_router(doors: Doors) -> APIRouter:
    """Return every route of intake, working with ``doors``."""
    root = APIRouter(dependencies=[Depends(carrying(doors))], responses=problems())
    for each in (
        public,
        sessions,
        platform_log_in,
        me,
        catalogue,
        cases,
        materials,
        handing_in,
        licences,
        licence_uses,
        disputes,
        entrustments,
        verifications,
        verification_page,
        inbox,
    ):
        root.include_router(each if isinstance(each, APIRouter) else each.router)
    return root
