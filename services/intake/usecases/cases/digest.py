"""Digests of plain values: the same value gives the same digest everywhere (RFC 8785)."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


def canonical_digest(value: dict[str, Any]) -> str:
    """Return ``sha256:`` and 64 hex digits over the canonical JSON of a value."""
    return "sha256:" + hashlib.sha256(rfc8785.dumps(value)).hexdigest()
