"""A use-code (用证码) binds licence, item, case, consumer, fields, purpose, expiry and uses.

The rule that decides a consumption is one pure function; whatever it refuses is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.errors import (
    FIELD_MALFORMED,
    FIELD_REQUIRED,
    FIELD_TOO_LONG,
    Kind,
    Reason,
    Violation,
    declare,
    refuse,
)
from services.certs.domain.holder import holder_violations
from services.certs.domain.licence import LICENCE_NOT_USABLE, Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.licence_type.sights import Sight
from services.certs.domain.purpose import (
    CODE_LIMIT,
    PURPOSE_REQUIRED,
    USE_CAUSE_LIMIT,
    is_writable,
    says_something,
)
from services.certs.domain.use_code.grounds import CONSENTED, Grounds, Mode

LONGEST_LIFE = timedelta(days=180)
"""A case that outlives this asks the holder again; [M], no rule names a figure."""
MOST_USES = 10
FIELDS_LIMIT = 100


def _refusal(name: str, zh: str, en: str, kind: Kind = Kind.FAILED_PRECONDITION) -> Reason:
    return declare(f"USE_CODE_{name}", kind, zh, en)


USE_CODE_UNKNOWN = _refusal("UNKNOWN", "用证码不存在", "No such use-code", Kind.NOT_FOUND)
USE_CODE_WRONG_CONSUMER = _refusal(
    "WRONG_CONSUMER",
    "用证码不是授权给本单位的",
    "The use-code names another department",
    Kind.PERMISSION_DENIED,
)
USE_CODE_WRONG_ITEM = _refusal(
    "WRONG_ITEM", "用证码绑定的事项不一致", "The use-code is bound to another item"
)
USE_CODE_WRONG_CASE = _refusal(
    "WRONG_CASE", "用证码绑定的办件不一致", "The use-code is bound to another case"
)
USE_CODE_WRONG_PURPOSE = _refusal(
    "WRONG_PURPOSE", "用证事由与授权时不一致", "The use-code was given for another purpose"
)
USE_CODE_WRONG_FIELD = _refusal(
    "WRONG_FIELD", "所要的照面信息项未经授权", "The use-code does not cover every field asked for"
)
USE_CODE_WRONG_HOLDER = _refusal(
    "WRONG_HOLDER", "用证码对应的证照不属于该持证主体", "The use-code is for another holder's licence"
)
USE_CODE_CASE_EMPTY = _refusal(
    "CASE_EMPTY", "用证必须对应具体办件，办件编号为空", "A use without a case; name it", Kind.INVALID_ARGUMENT
)
USE_CODE_CASE_UNKNOWN = _refusal(
    "CASE_UNKNOWN", "没有本单位办理该事项的此办件", "No such case of this item with this department"
)
USE_CODE_CASE_CLOSED = _refusal("CASE_CLOSED", "办件已办结或撤回", "The case is closed or withdrawn")
USE_CODE_REVOKED = _refusal("REVOKED", "用证码已撤回", "The use-code was taken back")
USE_CODE_EXPIRED = _refusal("EXPIRED", "用证码已过期", "The use-code has expired")
USE_CODE_SPENT = _refusal("SPENT", "用证码已使用", "The use-code has been used up")
USE_CODE_EXPIRY_WRONG = _refusal(
    "EXPIRY_WRONG",
    "有效期须晚于当前时间且不超过 {limit_days} 天",
    "Must lie in the future, at most {limit_days} days ahead",
    Kind.INVALID_ARGUMENT,
)
USE_CODE_USES_WRONG = _refusal(
    "USES_WRONG", "使用次数须为 1 至 {limit}", "Between 1 and {limit} uses", Kind.INVALID_ARGUMENT
)
CONSENT_REQUIRED = declare(
    "CONSENT_REQUIRED",
    Kind.INVALID_ARGUMENT,
    "缺少持证主体的同意记录",
    "The holder's consent is not on record",
)
FACE_FIELD_UNKNOWN = declare(
    "FACE_FIELD_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "该证照没有此照面信息项",
    "The licence has no such face field",
)
FACE_FIELD_NOT_DISCLOSED = declare(
    "FACE_FIELD_NOT_DISCLOSED",
    Kind.INVALID_ARGUMENT,
    "该类证照的此照面信息项不向此用途提供",
    "The licence type does not show this face field for such a use",
)
LICENCE_OF_ANOTHER_HOLDER = declare(
    "LICENCE_OF_ANOTHER_HOLDER", Kind.NOT_FOUND, "没有找到该证照", "No such licence"
)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a use-code is good for, and nothing else."""

    licence_id: str
    item_code: str
    case_id: str
    consumer_code: str
    face_fields: tuple[str, ...]
    use_cause: str
    expires_at: datetime
    max_uses: int


@dataclass(frozen=True, slots=True)
class Consent:
    """That the holder agreed (个人信息保护法 14): to which text, and when."""

    version: str
    given_at: datetime | None


@dataclass(frozen=True, slots=True)
class UseCode:
    """An issued use-code; the code itself is nowhere kept."""

    use_code_id: str
    binding: Binding
    uses_left: int
    revoked_at: datetime | None
    grounds: Grounds = CONSENTED


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to consume a use-code: who, for which item and case, stating which purpose."""

    consumer_code: str
    item_code: str
    case_id: str
    use_cause: str
    face_fields: tuple[str, ...] = ()
    """The fields it asks for; none named means those that were granted."""
    holder: tuple[str, str] | None = field(default=None, repr=False)
    """Whom the department believes the licence to be of, as kind of number and number; None for no statement."""


@dataclass(frozen=True, slots=True)
class CasePart:
    """A part of a case that the registry was told of: a department handles an item in it."""

    case_id: str
    part_id: str
    item_code: str
    department_code: str
    closed_at: datetime | None = None


def check_binding(binding: Binding, consent: Consent, holder: tuple[str, str], now: datetime) -> None:
    """Refuse a binding with every field named that is empty or out of range; a code without a case is none."""
    found = [*holder_violations(*holder), *binding_violations(binding, now)]
    if not consent.version:
        found.append(CONSENT_REQUIRED.at("consent_version"))
    if consent.given_at is None or consent.given_at > now + timedelta(minutes=5):
        found.append(CONSENT_REQUIRED.at("consented_at"))
    refuse(found)


def binding_violations(binding: Binding, now: datetime) -> list[Violation]:
    """Return every field of a binding that is empty or out of range, whatever the grounds of the code."""
    needed = ("licence_id", "item_code", "consumer_code")
    found = [FIELD_REQUIRED.at(name) for name in needed if not getattr(binding, name)]
    if not says_something(binding.case_id):
        found.append(USE_CODE_CASE_EMPTY.at("case_id"))
    found += [
        FIELD_TOO_LONG.at(name, limit=CODE_LIMIT)
        for name in ("item_code", "case_id", "consumer_code")
        if len(getattr(binding, name)) > CODE_LIMIT
    ]
    if not says_something(binding.use_cause):
        found.append(PURPOSE_REQUIRED.at("use_cause"))
    elif len(binding.use_cause) > USE_CAUSE_LIMIT:
        found.append(FIELD_TOO_LONG.at("use_cause", limit=USE_CAUSE_LIMIT))
    texts = ("item_code", "case_id", "consumer_code", "use_cause")
    found += [FIELD_MALFORMED.at(name) for name in texts if not is_writable(getattr(binding, name))]
    if len(binding.face_fields) > FIELDS_LIMIT:
        found.append(FIELD_MALFORMED.at("face_fields"))
    if not now < binding.expires_at <= now + LONGEST_LIFE:
        found.append(USE_CODE_EXPIRY_WRONG.at("expires_at", limit_days=LONGEST_LIFE.days))
    if not 1 <= binding.max_uses <= MOST_USES:
        found.append(USE_CODE_USES_WRONG.at("max_uses", limit=MOST_USES))
    return found


def check_grant(
    binding: Binding,
    licence: Licence,
    kind: LicenceType | None,
    holder: tuple[str, str],
    now: datetime,
    mode: Mode = Mode.CONSENT,
) -> None:
    """Refuse a grant over someone else's licence, one not in force, or of fields it does not have."""
    if not licence.is_held_by(*holder):
        raise LICENCE_OF_ANOTHER_HOLDER()
    if not licence.is_usable(now):
        raise LICENCE_NOT_USABLE(status=licence.usability(now))
    check_fields(binding, licence, kind, mode)


def check_fields(binding: Binding, licence: Licence, kind: LicenceType | None, mode: Mode) -> None:
    """Refuse fields that neither the licence nor its type has, and those that the type hides from such a code.

    A code that names a hidden field would promise what nobody gets. Raises INVALID_REQUEST.
    """
    found: list[Violation] = []
    for index, name in enumerate(binding.face_fields):
        if name not in licence.face and not (kind and kind.field(name)):
            found.append(FACE_FIELD_UNKNOWN.at(f"face_fields[{index}]"))
        elif kind and kind.matrix.sight(mode.category, name) is Sight.HIDDEN:
            found.append(FACE_FIELD_NOT_DISCLOSED.at(f"face_fields[{index}]"))
    refuse(found)


def refusal_of(code: UseCode, attempt: Attempt, now: datetime) -> Reason | None:
    """Return why an attempt is refused, None when it may go ahead.

    Whose code it is comes first: another department learns nothing about item, case or state.
    """
    bound = code.binding
    if attempt.consumer_code != bound.consumer_code:
        return USE_CODE_WRONG_CONSUMER
    if attempt.item_code != bound.item_code:
        return USE_CODE_WRONG_ITEM
    if attempt.case_id != bound.case_id:
        return USE_CODE_WRONG_CASE
    if attempt.use_cause != bound.use_cause:
        return USE_CODE_WRONG_PURPOSE
    if not set(attempt.face_fields) <= set(bound.face_fields):
        return USE_CODE_WRONG_FIELD
    if code.revoked_at is not None:
        return USE_CODE_REVOKED
    if now >= bound.expires_at:
        return USE_CODE_EXPIRED
    return USE_CODE_SPENT if code.uses_left < 1 else None
