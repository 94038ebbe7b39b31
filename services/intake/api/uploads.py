"""How much of a body is read where a file is sent in."""

from __future__ import annotations

MAX_UPLOAD_BYTES = 20 * 1024 * 1024
"""What is read at all. A material is held to less by its own rule, a document by what fits one message."""
FORM_OVERHEAD_BYTES = 64 * 1024
"""Boundaries and headers around the file."""
