"""``python -m services.intake serve | migrate``."""

from __future__ import annotations

from chassis.entry import main
from services.intake import app

main("intake", app.serve, app.migration_settings)
