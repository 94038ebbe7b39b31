"""The mark of an annotated copy 加注件 inside a layout document (GB/T 36903: JZJ*), read from a file of anyone.

Only ``OFD.xml`` is read, bounded and without declarations; element and attribute names in any case, and
one vendor's misspelt element, as such files circulate. Whatever cannot be read bears no mark.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

ANNOTATED_COPY = ("JZJZZSJ", "JZJZZZ", "JZJZZSY", "JZJYXQJZSJ")
"""When it was made, by whom, for what, and until when it may be used; a copy is never an original."""
ORIGINAL_DIGEST = "JZJYJZY"
"""加注件原件摘要: the hex SHA-256 of the sealed original; ours, GB/T 36903 names none."""
_ROOT = "OFD.xml"
_ROOT_LIMIT_BYTES = 1024 * 1024
_HEAD = b"PK\x03\x04"
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_NAMES = frozenset({"customdata", "cuslomdata"})


@dataclass(frozen=True, slots=True)
class CopyMark:
    """What a file says of itself that is an annotated copy."""

    made_at: str
    creator: str = field(repr=False)
    use_cause: str
    expires_at: str
    original_sha256: str


def copy_mark(document: bytes) -> CopyMark | None:
    """Return the mark of an annotated copy, None for any other bytes."""
    record = custom_datas(document)
    if not any(record.get(name) for name in ANNOTATED_COPY):
        return None
    made, creator, cause, expires = (record.get(name, "") for name in ANNOTATED_COPY)
    return CopyMark(made, creator, cause, expires, record.get(ORIGINAL_DIGEST, ""))


def custom_datas(document: bytes) -> dict[str, str]:
    """Return the metadata record of an OFD by short name in capitals; empty for any other bytes."""
    if not document.startswith(_HEAD):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(document)) as package:
            entry = package.getinfo(_ROOT)
            root = package.read(entry) if entry.file_size <= _ROOT_LIMIT_BYTES else b""
        if not root or _DECLARATION.search(root):
            return {}
        return _record(ET.fromstring(root))  # noqa: S314 - no DTD, so there is no entity to expand
    except (zipfile.BadZipFile, KeyError, ET.ParseError, OSError, RuntimeError, ValueError):
        return {}


def _record(root: ET.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in root.iter():
        if str(each.tag).rpartition("}")[2].lower() in _NAMES:
            names = {key.lower(): value for key, value in each.attrib.items()}
            found[names.get("name", "").upper()] = (each.text or "").strip()
    return found
