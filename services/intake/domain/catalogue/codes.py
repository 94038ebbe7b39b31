"""Item codes of GB/T 39554.1: 基本编码 (12), 实施编码 (31), 业务办理项编码 (33)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chassis.errors import Kind, declare
from standards.identifiers import Check, check_uscc

TASK_TYPES = {
    "01": "行政许可",
    "02": "行政处罚",
    "03": "行政强制",
    "04": "行政征收",
    "05": "行政给付",
    "06": "行政检查",
    "07": "行政确认",
    "08": "行政奖励",
    "09": "行政裁决",
    "10": "其他行政权力",
    "20": "公共服务",
}
"""事项类型. Regions add their own, so a code from elsewhere with another type is not refused."""

ON_APPLICATION_TYPES = frozenset({"01", "05", "07", "08", "09", "10", "20"})
"""依申请: the types that begin with an application and may be offered at a window."""

_CATALOG = re.compile(r"\d{12}", re.ASCII)
_TASK = re.compile(r"[0-9A-Z]{18}[1-9]\d{12}", re.ASCII)
_HANDLE = re.compile(r"[0-9A-Z]{18}[1-9]\d{14}", re.ASCII)
_HIGHEST_SEQUENCE = 99

CATALOG_CODE_MALFORMED = declare(
    "CATALOG_CODE_MALFORMED", Kind.INVALID_ARGUMENT, "基本编码应为 12 位数字", "A catalog code has 12 digits"
)
TASK_CODE_MALFORMED = declare(
    "TASK_CODE_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "实施编码应为 31 位，业务办理项编码应为 33 位",
    "A task code has 31 characters, a handling item code 33",
)
TASK_CODE_DEPARTMENT_WRONG = declare(
    "TASK_CODE_DEPARTMENT_WRONG",
    Kind.INVALID_ARGUMENT,
    "实施编码前 18 位不是有效的统一社会信用代码",
    "The first 18 characters of the task code are no valid unified social credit code",
)


@dataclass(frozen=True, slots=True)
class CatalogCode:
    """基本编码: region 2, type 2, sector 2, main item 3, sub item 3 (000 = none)."""

    region: str
    task_type: str
    sector: str
    main_item: str
    sub_item: str

    def __str__(self) -> str:
        return self.region + self.task_type + self.sector + self.main_item + self.sub_item


@dataclass(frozen=True, slots=True)
class TaskCode:
    """实施编码 or, with ``handle_sequence``, 业务办理项编码."""

    department_uscc: str
    use_level: str
    catalog: CatalogCode
    handle_sequence: str | None = None

    @property
    def task_code(self) -> str:
        """The 31 characters of the 实施编码."""
        return f"{self.department_uscc}{self.use_level}{self.catalog}"

    def __str__(self) -> str:
        return self.task_code + (self.handle_sequence or "")


def parse_catalog_code(value: str) -> CatalogCode:
    """Return the parts of a 12-digit code; raises CATALOG_CODE_MALFORMED."""
    if not _CATALOG.fullmatch(value):
        raise CATALOG_CODE_MALFORMED()
    return CatalogCode(value[:2], value[2:4], value[4:6], value[6:9], value[9:])


def check_task_code(value: str) -> Check:
    """Check a code of 31 or 33 characters: structure, and the department's code by its check character."""
    if not _TASK.fullmatch(value) and not _HANDLE.fullmatch(value):
        return Check(TASK_CODE_MALFORMED)
    department = check_uscc(value[:18])
    return Check(None if department.valid else TASK_CODE_DEPARTMENT_WRONG, department.expected_check)


def parse_task_code(value: str) -> TaskCode:
    """Return the parts of a code of 31 or 33 characters; raises the rule that failed."""
    check_task_code(value).require()
    return TaskCode(value[:18], value[18], parse_catalog_code(value[19:31]), value[31:] or None)


def build_task_code(department_uscc: str, use_level: str, catalog_code: str) -> str:
    """Return the 实施编码 of an item at a department; raises the rule that failed."""
    value = department_uscc + use_level + catalog_code
    if not _TASK.fullmatch(value):
        raise TASK_CODE_MALFORMED()
    check_task_code(value).require()
    return value


def build_handle_item_code(task_code: str, sequence: int) -> str:
    """Return the 业务办理项编码; ``sequence`` is 1..99."""
    if not 1 <= sequence <= _HIGHEST_SEQUENCE or not _TASK.fullmatch(task_code):
        raise TASK_CODE_MALFORMED()
    check_task_code(task_code).require()
    return f"{task_code}{sequence:02d}"
