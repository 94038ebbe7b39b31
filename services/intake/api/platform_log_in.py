"""Log in with a browser of one's own, through an identity platform (OpenID Connect)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Response
from fastapi.responses import RedirectResponse

from services.intake.api.doors import Doors, DoorsHere, limited
from services.intake.api.log_in_lines import PLATFORM, refusal_told, told
from services.intake.api.sessions import TRIES_BY_SOURCE, TokenView, token_view
from services.intake.domain.identity.platform_log_in import PLATFORM_LOG_IN_REFUSED, PLATFORM_NOT_OFFERED
from services.intake.usecases.identity.platform_log_in import (
    PlatformLogIn,
    leave_for_platform,
    return_from_platform,
)

router = APIRouter(prefix="/v1/sessions/oidc", tags=["sessions"])
COOKIE = "__Host-tongban-log-in"
"""Sent to this host only, over TLS only, never seen by scripts."""


@router.get(
    "/start",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[limited(TRIES_BY_SOURCE)],
    summary="前往统一身份认证平台登录",
)
async def leave(doors: DoorsHere) -> RedirectResponse:
    """Send the browser to the platform; it keeps a sealed attempt that only it can bring back."""
    departure = await leave_for_platform(doors.log_in, _through(doors))
    answer = RedirectResponse(departure.location, status_code=303)
    answer.set_cookie(
        COOKIE,
        departure.sealed,
        max_age=departure.lifetime_seconds,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/callback", dependencies=[limited(TRIES_BY_SOURCE)], summary="从统一身份认证平台返回")
async def come_back(
    doors: DoorsHere,
    response: Response,
    state: Annotated[str, Query(max_length=128)] = "",
    code: Annotated[str, Query(max_length=2_048)] = "",
    iss: Annotated[str | None, Query(max_length=512)] = None,
    attempt: Annotated[str, Cookie(alias=COOKIE, max_length=2_048)] = "",
) -> TokenView:
    """Finish the log-in in the browser that began it; the token is bound to the ``terminal_id`` of the answer."""
    through = _through(doors)
    if not (state and code and attempt):
        refused = PLATFORM_LOG_IN_REFUSED()
        refusal_told(PLATFORM, refused)
        raise refused
    found = await told(PLATFORM, return_from_platform(doors.log_in, through, attempt, state, code, iss))
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return token_view(found)


def _through(doors: Doors) -> PlatformLogIn:
    if doors.platform is None:
        raise PLATFORM_NOT_OFFERED()
    return doors.platform
