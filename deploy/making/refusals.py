"""Why a deployment is not made or changed."""

from __future__ import annotations

from chassis.errors import Kind, declare

DEPLOYMENT_EXISTS = declare(
    "DEPLOYMENT_EXISTS",
    Kind.ALREADY_EXISTS,
    "{path} 已存在，不会覆盖",
    "{path} exists and is not overwritten",
)
DEPLOYMENT_MISSING = declare(
    "DEPLOYMENT_MISSING",
    Kind.FAILED_PRECONDITION,
    "{path} 不存在，请先运行 init.py",
    "{path} does not exist, run init.py first",
)
AUTHORITY_UNUSABLE = declare(
    "AUTHORITY_UNUSABLE",
    Kind.FAILED_PRECONDITION,
    "{path} 中的证书机构缺失、损坏或即将到期，请从安全备份恢复",
    "The authority in {path} is missing, damaged or near its end: bring it back from its safe copy",
)
TERMINAL_ID_MALFORMED = declare(
    "TERMINAL_ID_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "终端编号 {terminal_id} 不合规范",
    "{terminal_id} is no id of a terminal: letters, digits, dots, dashes, underscores",
)
COUNTY_MISSING = declare(
    "COUNTY_NAME_MISSING",
    Kind.INVALID_ARGUMENT,
    "请用 --county 给出县（市、区）名称，它写入证书机构",
    "Give the county's name with --county: it names the authority",
)
