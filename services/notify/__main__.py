"""``python -m services.notify serve | migrate``."""

from __future__ import annotations

from chassis.entry import main
from services.notify import app

main("notify", app.serve, app.migration_settings)
