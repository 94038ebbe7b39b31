"""Seal pictures (印模): drawn from a name as vector outlines, or uploaded and checked; PNG for seals, SVG for print."""

from __future__ import annotations

from services.seal.domain.imprint.decoding import decodes
from services.seal.domain.imprint.designs import (
    IMPRINT_SIZE,
    IMPRINT_TEXT_WRONG,
    SEAL_NAME_TOO_LONG,
    NameDesign,
    OvalDesign,
    PlateDesign,
    RoundDesign,
)  # fmt: skip
from services.seal.domain.imprint.drawing import Drawing, as_picture, as_svg
from services.seal.domain.imprint.shaping import draw
from services.seal.domain.imprint.uploaded import read_upload
from services.seal.domain.structures import Picture

DIAMETER_MM = 42
"""The diameter of the official seal of a county's department."""

__all__ = [
    "DIAMETER_MM",
    "IMPRINT_SIZE",
    "IMPRINT_TEXT_WRONG",
    "SEAL_NAME_TOO_LONG",
    "Drawing",
    "NameDesign",
    "OvalDesign",
    "PlateDesign",
    "RoundDesign",
    "as_picture",
    "as_svg",
    "decodes",
    "draw",
    "read_upload",
    "round_seal",
]


def round_seal(name: str) -> Picture:
    """Return the official seal of the authority `name`: 42 mm, a star, the name on the upper arc.

    Raises:
        SEAL_NAME_TOO_LONG: No character or more than fit the arc.
        GLYPH_MISSING: The font does not cover the name.
    """
    return as_picture(draw(RoundDesign(name, diameter_mm=DIAMETER_MM)))
