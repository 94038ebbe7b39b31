"""What is asked when documents are to be sealed: the task and its placements, from the words of a command."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, refuse
from cli.clients.seal_desk import type_number
from tongban.seal.v1 import use_pb2

_REQUESTS = uuid.UUID("a1d4a6ce-6f0b-5c52-9e0e-3f5b6f3f9d41")
_EDGES = {"right": 1, "left": 2, "top": 3, "bottom": 4}


def seal_task(
    placements: Sequence[use_pb2.Placement],
    *,
    document_type: str,
    pdf_level: str,
    is_open: bool,
    **said: str,
) -> use_pb2.SealTask:
    """Return the task; a level such as ``B-T`` means that the documents are PDFs. Raises INVALID_REQUEST."""
    task = use_pb2.SealTask(
        document_type=type_number(document_type),
        format=use_pb2.DOCUMENT_FORMAT_PDF if pdf_level else use_pb2.DOCUMENT_FORMAT_OFD,
        placements=placements,
        **said,  # type: ignore[arg-type]  # texts all of them
    )
    if is_open:
        task.mode = use_pb2.PROTECT_MODE_CONTINUE
    if pdf_level:
        task.level = use_pb2.PdfLevel.Value(f"PDF_LEVEL_{pdf_level.replace('-', '_')}")
    return task


def request_id_of(task: use_pb2.SealTask, digests: Sequence[str]) -> str:
    """Return the id that the same task over the same content has each time."""
    said = task.SerializeToString(deterministic=True).hex()
    return str(uuid.uuid5(_REQUESTS, said + "".join(sorted(digests))))


def placements_of(
    at: Sequence[str], every_page: str, riding: str, keywords: Sequence[str]
) -> list[use_pb2.Placement]:
    """Return the placements that a command's words name. Raises INVALID_REQUEST for none, or unreadable ones."""
    kind, found = use_pb2.Placement, []
    try:
        for each in at:
            page, x, y = each.split(",")
            found.append(kind(at=kind.At(page=int(page), x_mm=float(x), y_mm=float(y))))
        if every_page:
            x, y = every_page.split(",")
            found.append(kind(every_page=kind.EveryPage(x_mm=float(x), y_mm=float(y))))
        if riding:
            offset, _, edge = riding.partition(",")
            number: Any = _EDGES[edge or "right"]
            found.append(kind(riding=kind.Riding(offset_mm=float(offset), edge=number)))
    except (ValueError, KeyError):
        refuse([FIELD_MALFORMED.at("--at, --every-page, --riding")])
    found += [kind(keyword=kind.Keyword(keyword=each, occurrence=1)) for each in keywords]
    refuse([] if found else [FIELD_REQUIRED.at("--at, --every-page, --riding, --keyword")])
    return found
