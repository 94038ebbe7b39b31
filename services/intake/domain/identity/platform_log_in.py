"""Log-in through an identity platform (统一身份认证平台): what it has to prove, and to whom it is bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.errors import Kind, declare

ATTEMPT_LIFETIME = timedelta(minutes=10)
DEVICE_PREFIX = "DEVICE-"
"""Of the terminal id of a browser; no terminal of the catalogue has it."""

PLATFORM_NOT_OFFERED = declare(
    "PLATFORM_NOT_OFFERED",
    Kind.NOT_FOUND,
    "本地未接入统一身份认证平台",
    "No identity platform is connected here",
)
PLATFORM_LOG_IN_REFUSED = declare(
    "PLATFORM_LOG_IN_REFUSED",
    Kind.UNAUTHENTICATED,
    "未能通过统一身份认证平台登录，请重新登录",
    "The log-in through the identity platform failed; begin again",
)
ASSURANCE_TOO_LOW = declare(
    "ASSURANCE_TOO_LOW",
    Kind.PERMISSION_DENIED,
    "该登录方式的实名等级不足，请使用更高等级的认证方式",
    "This way of logging in proves too little; choose a stronger one",
)
FIRST_LOG_IN_ELSEWHERE = declare(
    "FIRST_LOG_IN_ELSEWHERE",
    Kind.FAILED_PRECONDITION,
    "平台未提供已核验的手机号码，首次办理请持身份证到自助终端或窗口登录",
    "The platform gave no checked mobile number; log in at a kiosk or window the first time",
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in on its way through the platform, kept by the browser that began it."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    """RFC 7636: proves to the platform that who redeems the code asked for it."""
    device_id: str
    """What the session will be bound to, in place of a terminal."""
    expires_at: datetime

    def waits(self, now: datetime) -> bool:
        """Say whether it may still be finished."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class ProvedIdentity:
    """Who logged in, as the platform signed it."""

    id_number: str = field(repr=False)
    name: str = field(repr=False)
    phone: str = field(repr=False)
    """Only where the platform checked it; else empty."""
    assurance: int
    """Real-name level of catalogue/realname_levels.yaml; 0 for a way of logging in that we do not know."""
