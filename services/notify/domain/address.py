"""Where a message may go."""

from __future__ import annotations

import re

from chassis.errors import Kind, declare

MOBILE = re.compile(r"1[3-9][0-9]{9}")

PHONE_MALFORMED = declare(
    "PHONE_MALFORMED", Kind.INVALID_ARGUMENT, "手机号码应为 11 位数字", "A mobile number has 11 digits"
)
