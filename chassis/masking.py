"""Masking of personal data, for logs and for pages: what is left is enough to recognise, not to use.

The rules are those of standards §8.3 (name: first character; citizen number: 1 + 2; mobile: 3 + 4;
bank card: 4 + 4; address: all but the last 8). Free text is masked by shape: any run of eleven or
more digits, because a number glued to other digits must not slip through. Over-masking is the
accepted price; only UUIDs stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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


def mask_name(name: str) -> str:
    """Keep the first character: ``张**``."""
    return name[:1] + "**" if name else ""


def mask_number(number: str) -> str:
    """Keep what §8.3 lets a citizen, mobile, card or other long number keep; short ones lose all."""
    digits = re.sub(r"[ \-]", "", number)
    if len(digits) < 7:
        return HIDDEN
    head, tail = {18: (1, 2), 11: (3, 4), 16: (4, 4), 19: (4, 4)}.get(len(digits), (1, 2))
    return digits[:head] + "*" * (len(digits) - head - tail) + digits[-tail:]


def mask_address(address: str) -> str:
    """Mask the last eight characters, or all of a shorter one."""
    return address[:-8] + "*" * min(8, len(address))


def mask_text(text: str) -> str:
    """Mask every number, e-mail address and secret that a text shows by its shape."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = _E_MAIL.sub(r"\1***@\2", text)
    return _SHAPES.sub(lambda found: found["uuid"] or mask_number(found["digits"]), text)


def _hide(_: str) -> str:
    return HIDDEN


_BY_KEY: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("name", "holder", "applicant", "legal_representative"), mask_name),
    **dict.fromkeys(("address", "addr"), mask_address),
    **dict.fromkeys(
        ("phone", "mobile", "telephone", "id_number", "citizen_id", "id_card", "bank_card", "card_number"),
        mask_number,
    ),
    **dict.fromkeys(
        (
            "code",
            "otp",
            "password",
            "passwd",
            "token",
            "authorization",
            "cookie",
            "secret",
            "dsn",
            "private_key",
            "api_key",
            "credential",
            "pin",
            "signature_value",
            "birth_date",
            "birthday",
        ),
        _hide,
    ),
}
_HARMLESS = frozenset(
    [
        "event_name",
        "service_name",
        "file_name",
        "template_name",
        "topic_name",
        "item_name",
        "logger_name",
        "type_name",
        "field_name",
        "part_name",
        "method_name",
        "host_name",
        "peer_name",
        "item_code",
        "division_code",
        "status_code",
        "exit_code",
        "reason_code",
        "type_code",
        "grpc_code",
        "http_code",
        "net_peer_address",
        "peer_address",
        "kafka_address",
        "listen_address",
    ]
)


def rule_of(key: str) -> Callable[[str], str] | None:
    """Return how values under a key are masked; ``holder_name`` and ``holderName`` follow ``name``."""
    snake = _WORD_START.sub("_", key).lower().replace("-", "_").replace(".", "_")
    if snake in _HARMLESS:
        return None
    parts = snake.split("_")
    tails = ("_".join(parts[start:]) for start in range(len(parts)))
    return next((_BY_KEY[tail] for tail in tails if tail in _BY_KEY), None)


def mask(value: Any, *, key: str = "", depth: int = 0) -> Any:
    """Return a masked copy of any value: containers, models and dataclasses by key, the rest by shape."""
    if value is None or isinstance(value, bool):
        return value
    if depth > MAX_DEPTH:
        return HIDDEN
    entries = _entries(value)
    if entries is not None:
        return {mask_text(str(k)): mask(v, key=str(k), depth=depth + 1) for k, v in entries.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask(each, key=key, depth=depth + 1) for each in value]
    if isinstance(value, int | float):
        return _mask_figure(value, key)
    return _mask_string(value if isinstance(value, str) else _text(value), key)


def _entries(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _mask_figure(value: float, key: str) -> Any:
    rule = rule_of(key)
    if rule:
        return rule(str(value))
    return value if abs(value) < 10_000_000_000 else mask_text(f"{value:.0f}")


def _mask_string(text: str, key: str) -> str:
    rule = rule_of(key)
    if rule and not _REASON.fullmatch(text):
        return rule(text)
    return text if key and _HEX_ID.fullmatch(text) else mask_text(text)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value) if isinstance(value, BaseException) else repr(value)
