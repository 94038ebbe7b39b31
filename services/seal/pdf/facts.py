"""What a PDF says about its signatures, without a judgement: plain values that cross a process boundary as JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """One filled signature field.

    `byte_range` and `contents` are as written; `whole_file` and `whole_revision` say how far the range reaches;
    `change` says what a later revision altered beyond signatures and validation data, empty for nothing.
    """

    field_name: str
    kind: str
    sub_filter: str
    byte_range: tuple[int, ...]
    contents: bytes
    stated_at: datetime | None
    whole_file: bool
    whole_revision: bool
    change: str
    problem: str = ""
    page: int = 0
    box_mm: tuple[float, float, float, float] | None = None
    """Where the field is shown: page from 1, and its box from the top left; None where it is not."""


@dataclass(frozen=True, slots=True)
class PdfFacts:
    """A document: why it was not read (`problem`, with `detail`) or its signatures and what its store keeps.

    `removed` names the fields that an earlier revision shows signed and the newest does not.
    """

    problem: str = ""
    detail: str = ""
    signatures: tuple[SignatureFacts, ...] = ()
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    revisions: int = 0
    removed: tuple[str, ...] = ()
    pages: tuple[tuple[float, float], ...] = ()
    """Width and height of each page as it is shown, in millimetres."""


def write_facts(facts: PdfFacts) -> bytes:
    """Return the facts as JSON."""
    return json.dumps(asdict(facts), default=_plain).encode()


def read_facts(data: bytes) -> PdfFacts:
    """Return the facts. Raises ValueError, KeyError or TypeError for anything `write_facts` did not write."""
    found = json.loads(data)
    signatures = tuple(_signature(each) for each in found.pop("signatures"))
    kept: dict[str, Any] = {
        key: tuple(map(base64.b64decode, found.pop(key))) for key in ("certificates", "crls")
    }
    kept["pages"] = tuple((width, height) for width, height in found.pop("pages"))
    kept["removed"] = tuple(found.pop("removed"))
    return PdfFacts(signatures=signatures, **kept, **found)


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _signature(found: dict[str, Any]) -> SignatureFacts:
    stated, box = found.pop("stated_at"), found.pop("box_mm")
    return SignatureFacts(
        byte_range=tuple(found.pop("byte_range")),
        contents=base64.b64decode(found.pop("contents")),
        stated_at=datetime.fromisoformat(stated) if stated else None,
        box_mm=(box[0], box[1], box[2], box[3]) if box else None,
        **found,
    )
