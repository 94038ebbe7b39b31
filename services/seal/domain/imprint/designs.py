"""What a seal's picture says, and how large it is; each design refuses what would not be legible."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.errors import Kind, declare

SEAL_NAME_TOO_LONG = declare(
    "SEAL_NAME_TOO_LONG",
    Kind.INVALID_ARGUMENT,
    "印章名称应为 1 至 {limit} 字",
    "The name needs 1 to {limit} characters",
)
IMPRINT_TEXT_WRONG = declare(
    "IMPRINT_TEXT_WRONG",
    Kind.INVALID_ARGUMENT,
    "印文不符合该印章样式：{what} 最多 {limit} 字",
    "The text does not fit this kind of seal: {what} takes at most {limit} characters",
)
IMPRINT_SIZE = declare(
    "IMPRINT_SIZE",
    Kind.INVALID_ARGUMENT,
    "印模边长应在 {least_mm} 至 {most_mm} 毫米之间",
    "A side of the imprint must measure {least_mm} to {most_mm} mm",
)
LEAST_MM, MOST_MM = 10, 60
_MOST_NAME, _MOST_LINE, _MOST_NUMBER = 40, 12, 18


@dataclass(frozen=True, slots=True)
class RoundDesign:
    """A round seal (圆形章): the name on the upper arc, a star, a line below it, a number on the lower arc.

    An official seal has the star alone; a finance, contract or special-purpose seal its purpose as the line, which
    takes the middle where there is no star.
    """

    name: str
    line: str = ""
    number: str = ""
    has_star: bool = True
    diameter_mm: int = 42

    def __post_init__(self) -> None:
        _arc_text(self.name, self.line, self.number)
        _sides(self.diameter_mm)


@dataclass(frozen=True, slots=True)
class OvalDesign:
    """An oval seal (椭圆章): the name on the upper arc, its purpose as middle line, a number on the lower arc."""

    name: str
    line: str = ""
    number: str = ""
    width_mm: int = 40
    height_mm: int = 30

    def __post_init__(self) -> None:
        _arc_text(self.name, self.line, self.number)
        _sides(self.width_mm, self.height_mm)


@dataclass(frozen=True, slots=True)
class NameDesign:
    """A person's square name seal (名章): two to four characters in columns from the right, `suffix` 印 or 之印."""

    name: str
    suffix: str = ""
    side_mm: int = 18

    def __post_init__(self) -> None:
        if self.suffix not in {"", "印", "之印"} or not 2 <= len(self.name + self.suffix) <= 4:
            raise IMPRINT_TEXT_WRONG(what="name", limit=4)
        _sides(self.side_mm)


@dataclass(frozen=True, slots=True)
class PlateDesign:
    """A rectangular special-purpose seal (长方形专用章): one to three lines in a frame."""

    lines: tuple[str, ...]
    width_mm: int = 45
    height_mm: int = 16

    def __post_init__(self) -> None:
        if not 1 <= len(self.lines) <= 3 or not all(0 < len(line) <= _MOST_LINE for line in self.lines):
            raise IMPRINT_TEXT_WRONG(what="lines", limit=_MOST_LINE)
        _sides(self.width_mm, self.height_mm)


Design = RoundDesign | OvalDesign | NameDesign | PlateDesign


def _arc_text(name: str, line: str, number: str) -> None:
    if not 0 < len(name) <= _MOST_NAME:
        raise SEAL_NAME_TOO_LONG(limit=_MOST_NAME)
    for what, text, limit in (("line", line, _MOST_LINE), ("number", number, _MOST_NUMBER)):
        if len(text) > limit:
            raise IMPRINT_TEXT_WRONG(what=what, limit=limit)


def _sides(*sides_mm: int) -> None:
    if not all(LEAST_MM <= side <= MOST_MM for side in sides_mm):
        raise IMPRINT_SIZE(least_mm=LEAST_MM, most_mm=MOST_MM)
