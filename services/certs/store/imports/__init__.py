"""Imports, set by set: every call is one statement or one COPY, however many rows it carries."""

from __future__ import annotations

from services.certs.store.imports.store import ImportStore

__all__ = ["ImportStore"]
