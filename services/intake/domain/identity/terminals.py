"""Terminals 自助终端: where persons log in; each signs with its own key."""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.domain.catalogue.places import Text


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal by its id, e.g. ``KIOSK-361123-01``; its public key is kept by the local authority."""

    terminal_id: str
    county_code: str
    place: Text
