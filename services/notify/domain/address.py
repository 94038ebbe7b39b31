"""Where a message may go."""

from __future__ import annotations

import re

from chassis.errors import Kind, declare

MOBILE = re.compile(r"1[3-9][0-9]{9}")

EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{4,190}$)([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}"
)
"""The form of HTML's input type email, with a dot in the domain; ASCII only, so no header can be forged."""

PHONE_MALFORMED = declare(
    "PHONE_MALFORMED", Kind.INVALID_ARGUMENT, "手机号码应为 11 位数字", "A mobile number has 11 digits"
)
EMAIL_MALFORMED = declare(
    "EMAIL_MALFORMED", Kind.INVALID_ARGUMENT, "电子邮箱格式不正确", "Not an e-mail address"
)
