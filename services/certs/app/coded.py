"""Which rows of the registry carry an integrity code, for a verification from outside."""

from __future__ import annotations

from services.certs.store.coded import CODED

__all__ = ["CODED"]
