"""Why a file is refused, and the bounds it is held to."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.errors import Kind, declare


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Bounds of one file (ASVS 5.2.1, 5.2.3, 5.2.6); sizes in bytes."""

    packed_bytes: int = 20 * 1024 * 1024
    unpacked_bytes: int = 200 * 1024 * 1024
    ratio: int = 100
    ratio_from_bytes: int = 1024 * 1024
    """Below it a member may be as empty as it likes: a blank page shrinks a thousandfold."""
    entries: int = 2_000
    pixels: int = 40_000_000
    """An A3 page at 400 dpi has 31 million."""
    xml_bytes: int = 16 * 1024 * 1024
    memory_bytes: int = 288 * 1024 * 1024
    """Of the process, beyond what the parsers themselves take once they are loaded."""
    cpu_seconds: int = 4
    wall_seconds: int = 8


LIMITS = FileLimits()

FILE_BROKEN_INSIDE = declare(
    "FILE_BROKEN_INSIDE",
    Kind.INVALID_ARGUMENT,
    "文件已损坏或不完整，请重新导出后上传",
    "The file is damaged or incomplete; export it anew",
)
FILE_TOO_COMPLEX = declare(
    "FILE_TOO_COMPLEX",
    Kind.INVALID_ARGUMENT,
    "文件展开后过大、像素过多或压缩异常",
    "The file is too large once unpacked, or compressed beyond belief",
)
FILE_ACTIVE = declare(
    "FILE_ACTIVE",
    Kind.INVALID_ARGUMENT,
    "文件含有脚本、可执行动作、内嵌文件或加密内容，请去除后上传",
    "The file has scripts, actions, files inside or encryption; remove them",
)
FILE_UNSAFE_NAMES = declare(
    "FILE_UNSAFE_NAMES",
    Kind.INVALID_ARGUMENT,
    "文件包内有不安全或重复的路径、链接",
    "The package has unsafe or repeated paths, or links",
)
BY_CODE = {each.code: each for each in (FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX, FILE_ACTIVE, FILE_UNSAFE_NAMES)}
"""What a process that inspects may answer with."""
