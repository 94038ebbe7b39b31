"""``python -m services.certs serve | migrate``."""

from __future__ import annotations

from chassis.entry import main
from services.certs import app

main("certs", app.serve, app.migration_settings)
