"""Which kind of file it is, and who judges it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.errors import Fault
from cli.verification.archives import MANIFEST, UNREADABLE, verify_archive
from cli.verification.receipts import verify_receipt
from cli.verification.report import INDETERMINATE, Check, Report, judged, of_document, refused

_ZIP, _PDF = b"PK", b"%PDF-"


Ask = Callable[[bytes], Mapping[str, Any]]
"""Has the service judge a document; answers as `services.seal.app.verify_offline`, raises its refusal."""


def verify_file(path: Path, trust: Path, now: datetime, ask: Ask | None = None) -> Report:
    """Return what holds of a file; never raises for anything the file holds.

    With `ask`, sealed documents are judged by the service. Raises what it raises.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        return refused("unknown", path.name, "FILE_UNREADABLE", problem.strerror or "OSError")
    if content.startswith(_PDF):
        return verify_sealed(path.name, content, trust, now, ask)
    if content[:2] == _ZIP or path.suffix.lower() in {".ofd", ".zip"}:
        return _verify_container(path.name, content, trust, now, ask)
    try:
        return verify_receipt(content, trust)
    except (ValueError, AttributeError, TypeError, RecursionError) as problem:
        return refused("unknown", path.name, "FILE_UNREADABLE", f"not a known kind of file: {problem}")


def verify_sealed(name: str, content: bytes, trust: Path, now: datetime, ask: Ask | None = None) -> Report:
    """Return what holds of a sealed document, OFD or PDF."""
    if ask is not None and content[:2] in {_ZIP, _PDF[:2]}:
        return of_document(name, ask(content))
    from services.seal.app import verify_offline  # noqa: PLC0415 - loads a crypto library

    try:
        return of_document(name, verify_offline(content, trust, now))
    except Fault as fault:  # the trust directory or the library, not the document
        check = Check("trust", "indeterminate", f"{fault.zh} | {fault.en}", fault.code)
        return Report("document", INDETERMINATE, (judged(name, "", [check]),))


def _verify_container(
    name: str, content: bytes, trust: Path, now: datetime, ask: Ask | None = None
) -> Report:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = set(package.namelist())
    except UNREADABLE:
        names = set()
    if MANIFEST in names:
        return verify_archive(
            name, content, trust, lambda inner, data: verify_sealed(inner, data, trust, now, ask)
        )
    return verify_sealed(name, content, trust, now, ask)
