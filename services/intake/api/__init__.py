"""The HTTP door of intake: terminals and pages of persons; every refusal is problem+json."""

from __future__ import annotations

from services.intake.api.doors import Doors
from services.intake.api.routes import api_router

__all__ = ["Doors", "api_router"]
