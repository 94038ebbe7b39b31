"""Where each service is put together; no module of the local stack is needed to know it."""

from __future__ import annotations

ROOTS = {
    "intake": "services.intake.app",
    "certs": "services.certs.app.serving",
    "notify": "services.notify.app",
    "seal": "services.seal.app.serving",
}
"""The module that puts each running service together."""
