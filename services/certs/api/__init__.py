"""The sharing door (GB/T 36906): JSON with head and data over mutual TLS, for systems that speak it already."""

from __future__ import annotations

from services.certs.api.door import Door
from services.certs.api.routes import sharing_router

__all__ = ["Door", "sharing_router"]
