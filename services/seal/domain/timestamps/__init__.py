"""RFC 3161 timestamps with the suites' algorithms: no library serves or verifies SM2/SM3 tokens.

A timestamp field may hold a token or a whole response; both are read, tokens are written.
"""

from __future__ import annotations

from services.seal.domain.timestamps.judging import TimestampTrust, TokenResult, judge_token
from services.seal.domain.timestamps.making import TokenWriter, make_token
from services.seal.domain.timestamps.messages import (
    Failure,
    RequestError,
    ResponseError,
    TimestampRequest,
    TimestampResponse,
    read_request,
    read_response,
    write_grant,
    write_refusal,
    write_request,
)
from services.seal.domain.timestamps.reading import time_of

__all__ = [
    "Failure",
    "RequestError",
    "ResponseError",
    "TimestampRequest",
    "TimestampResponse",
    "TimestampTrust",
    "TokenResult",
    "TokenWriter",
    "judge_token",
    "make_token",
    "read_request",
    "read_response",
    "time_of",
    "write_grant",
    "write_refusal",
    "write_request",
]
