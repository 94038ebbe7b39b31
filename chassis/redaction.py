"""Redaction of personal data and secrets in log lines and traces: hidden by key, or by shape in free text.

Any run of eleven or more digits is hidden but for its last two, because a number glued to other
digits must not slip through: over-hiding is the accepted price, only UUIDs stay readable. What
people are shown on pages follows other rules, those of ``standards.masking``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

HIDDEN = "***"
MAX_DEPTH = 8

_UUID = r"(?<![0-9A-Za-z-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z-])"
_SHAPES = re.compile(rf"(?P<uuid>{_UUID})|(?P<digits>\d(?:[ \-]?\d){{10,}}[Xx]?)")
_HEX_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_REASON = re.compile(r"[A-Z]+(?:_[A-Z0-9]+)+")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_E_MAIL = re.compile(r"([\w+])[\w.+-]*@((?:[\w-]+\.)+[\w-]+)")
_SECRETS = (
    (re.compile(r"(://[^/\s:@]*):[^/\s]*@"), r"\1:***@"),  # a password in a DSN or URL
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s'\",]+"), r"\1 ***"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*"), "eyJ***"),  # a JWT
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END|\Z)"), "*** PRIVATE KEY ***"),
    (re.compile(r"DETAIL: [^\n]*"), "DETAIL: ***"),  # PostgreSQL repeats the row's values there
    (re.compile(r"(?s)input_value=.*?, input_type"), "input_value=***, input_type"),  # and pydantic here
)


def redact_text(text: str) -> str:
    """Hide every number, e-mail address and secret that a text shows by its shape."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = _E_MAIL.sub(r"\1***@\2", text)
    return _SHAPES.sub(lambda found: found["uuid"] or "*" * 6 + found["digits"][-2:], text)


_PERSONAL_KEYS = frozenset(
    re.findall(
        r"\w+",
        """
        name holder applicant legal_representative address addr phone mobile telephone id_number
        citizen_id id_card bank_card card_number birth_date birthday code otp pin password passwd
        token authorization cookie secret dsn private_key api_key credential
        """,
    )
)
_HARMLESS_KEYS = frozenset(
    re.findall(
        r"\w+",
        """
        event_name service_name file_name template_name topic_name item_name logger_name type_name
        field_name part_name method_name host_name peer_name item_code division_code county_code
        department_code status_code exit_code reason_code type_code grpc_code http_code
        peer_address kafka_address listen_address
        """,
    )
)


def is_personal(key: str) -> bool:
    """Return whether values under a key are hidden; ``holder_name`` and ``holderName`` follow ``name``."""
    snake = _WORD_START.sub("_", key).lower().replace("-", "_").replace(".", "_")
    parts = snake.split("_")
    tails = {"_".join(parts[start:]) for start in range(len(parts))}
    return snake not in _HARMLESS_KEYS and not _PERSONAL_KEYS.isdisjoint(tails)


def redact(value: Any, *, key: str = "", depth: int = 0) -> Any:
    """Return a redacted copy of any value: containers, models and dataclasses by key, the rest by shape."""
    if value is None or isinstance(value, bool):
        return value
    if depth > MAX_DEPTH:
        return HIDDEN
    entries = _entries(value)
    if entries is not None:
        return {redact_text(str(k)): redact(v, key=str(k), depth=depth + 1) for k, v in entries.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(each, key=key, depth=depth + 1) for each in value]
    if isinstance(value, int | float):
        return _redact_figure(value, key)
    return _redact_string(value if isinstance(value, str) else _text(value), key)


def _entries(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _redact_figure(value: float, key: str) -> Any:
    if is_personal(key):
        return HIDDEN
    return value if abs(value) < 10_000_000_000 else redact_text(f"{value:.0f}")


def _redact_string(text: str, key: str) -> str:
    if is_personal(key) and not _REASON.fullmatch(text):
        return HIDDEN
    return text if key and _HEX_ID.fullmatch(text) else redact_text(text)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value) if isinstance(value, BaseException) else repr(value)
