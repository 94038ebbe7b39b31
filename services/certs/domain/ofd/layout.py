"""Where everything stands on the page: one A4 landscape sheet, millimetres from its top left corner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from unicodedata import category

from chassis.errors import Kind, declare
from chassis.fonts import advances, missing
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.metadata import write_date
from standards.masking import mask_citizen_id

PAGE_WIDTH_MM, PAGE_HEIGHT_MM = 297.0, 210.0
SEAL_SIZE_MM = 42.0
"""Round seals of authorities are 42 mm wide; the place is kept free of face fields."""
SEAL_X_MM, SEAL_Y_MM = 211.0, 138.0
"""Top left corner of the seal's box: over the issuer's name and the date, as on paper."""

_MARGIN = 28.0
_FIELDS_TOP, _FIELDS_BOTTOM = 62.0, 146.0
_GUTTER = 10.0
_LABEL_EMS = 7.5
_SIZES_MM = (5.0, 4.4, 3.8, 3.2, 2.6, 2.0)
_LEADING = 1.6
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_ABSENT = "〓"
"""The typesetter's mark for a character the font lacks; the metadata keep the character itself."""

_UNDER_TITLE = "（电子证照）"

FACE_TOO_LONG = declare(
    "FACE_TOO_LONG",
    Kind.FAILED_PRECONDITION,
    "照面内容过多，无法排在一页内",
    "The face fields do not fit one page",
)


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text: left edge, top, size of an em, all in millimetres, and its colour.

    `is_fixed` where every licence of the type has the same line, so that it is written once.
    """

    x: float
    y: float
    size: float
    content: str
    colour: str = "0 0 0"
    is_fixed: bool = False

    @property
    def steps(self) -> list[float]:
        """The advance of every character in millimetres."""
        widths = advances(self.content)
        rounded = {width: round(width * self.size, 3) for width in set(widths)}  # most are one em
        return [rounded[width] for width in widths]


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of lines."""

    x: float
    y: float
    width: float
    height: float
    line_mm: float


@dataclass(frozen=True, slots=True)
class Page:
    """The laid-out sheet."""

    frames: tuple[Frame, ...]
    texts: tuple[Text, ...]

    @property
    def characters(self) -> str:
        """Every character that the embedded font must have."""
        return "".join(sorted(set("".join(text.content for text in self.texts))))


def lay_out(licence: Licence, kind: LicenceType) -> Page:
    """Return the page of a licence. Raises FACE_TOO_LONG when even the smallest size does not fit."""
    texts = [
        _centred(printable(kind.title or licence.type_name), 32.0, 13.0, "176 24 24"),
        replace(_centred(_UNDER_TITLE, 48.0, 5.0), is_fixed=True),
        *_columns(_rows(licence, kind)),
        Text(SEAL_X_MM - 45.0, 152.0, 5.0, _fit(printable(licence.issuer_name), 5.0, 93.0)),
        Text(SEAL_X_MM - 45.0, 163.0, 5.0, licence.issued_date.strftime("%Y年%m月%d日")),
        Text(_MARGIN, 188.0, 3.0, f"证照标识 {printable(licence.identifier)}", "90 90 90"),
    ]
    frames = (Frame(10, 10, 277, 190, 1.2), Frame(13, 13, 271, 184, 0.35))
    return Page(frames, tuple(text for text in texts if text.content))


def titled(page: Page, note: str) -> Page:
    """Return the page with ``note`` under its title instead of the usual words, as on an attached copy."""
    instead = _centred(printable(note), 48.0, 5.0)
    texts = (instead if text.is_fixed and text.content == _UNDER_TITLE else text for text in page.texts)
    return replace(page, texts=tuple(texts))


def printable(text: str) -> str:
    """Return the text as the page can show it: no control characters, absent glyphs marked."""
    return "".join([_shown(char) for char in text])


@lru_cache(maxsize=1 << 16)
def _shown(char: str) -> str:
    if category(char) in _UNSEEN:
        return " "
    return _ABSENT if missing(char) or not char.isprintable() else char


def wrap(text: str, size: float, width: float) -> list[str]:
    """Return the lines of a text broken wherever the width ends, as Chinese is set; at least one line."""
    lines, line, used = [], "", 0.0
    for char, advance in zip(text, advances(text), strict=True):
        step = advance * size
        if line and used + step > width:
            lines.append(line)
            line, used = "", 0.0
        line += char
        used += step
    return [*lines, line]


def _rows(licence: Licence, kind: LicenceType) -> list[tuple[str, str]]:
    rows = [("证照编号", licence.number)]
    for holder in licence.holders:
        code = mask_citizen_id(holder.id_number) if holder.is_person else holder.id_number
        rows += [("持证主体", holder.name), ("证件号码" if holder.is_person else "统一社会信用代码", code)]
    rows += [(each.label, licence.face[each.name]) for each in kind.on_page if licence.face.get(each.name)]
    term = f"{write_date(licence.valid_from or licence.issued_date)} 至 {write_date(licence.valid_until)}"
    return [*((printable(label), printable(value)) for label, value in rows), ("有效期限", term)]


def _columns(rows: Sequence[tuple[str, str]]) -> Iterator[Text]:
    """Set the rows in one column while they fit, then in two, each time in the largest size that fits."""
    whole = PAGE_WIDTH_MM - 2 * _MARGIN
    half = (whole - _GUTTER) / 2
    for size in _SIZES_MM:
        for width, count in ((whole, 1), (half, 2)):
            columns = _fill(rows, size, width, count)
            if columns is not None:
                return iter(columns)
    raise FACE_TOO_LONG()


def _fill(rows: Sequence[tuple[str, str]], size: float, width: float, count: int) -> list[Text] | None:
    texts: list[Text] = []
    column, y, step = 0, _FIELDS_TOP, size * _LEADING
    label_width = _LABEL_EMS * size
    for label, value in rows:
        lines = wrap(value, size, width - label_width)
        labels = _label_lines(label, size)
        needed = max(len(lines), len(labels)) * step
        if y + needed > _FIELDS_BOTTOM:
            column, y = column + 1, _FIELDS_TOP
            if column >= count or y + needed > _FIELDS_BOTTOM:
                return None
        x = _MARGIN + column * (width + _GUTTER)
        texts += [Text(x, y + n * step, size, line, "90 90 90", True) for n, line in enumerate(labels)]
        texts += [Text(x + label_width, y + n * step, size, line) for n, line in enumerate(lines)]
        y += needed
    return texts


@lru_cache(maxsize=4096)
def _label_lines(label: str, size: float) -> tuple[str, ...]:
    return tuple(wrap(label + "：", size, _LABEL_EMS * size))


def _centred(content: str, y: float, size: float, colour: str = "0 0 0") -> Text:
    width = PAGE_WIDTH_MM - 2 * _MARGIN
    natural = sum(advances(content))
    fitting = min(size, width / natural) if natural else size
    return Text((PAGE_WIDTH_MM - natural * fitting) / 2, y, fitting, content, colour)


def _fit(content: str, size: float, width: float) -> str:
    """Return the content, cut to one line; issuers' names are far shorter than the line."""
    return wrap(content, size, width)[0]
