"""Logs: one JSON line per event on standard output, bound ids, personal data hidden.

Everything the standard library's loggers say goes the same way. ``configure`` once per process,
then ``logger = get_logger(__name__)`` and ``logger.info("licence_issued", licence_id=...)``: the
event is a fixed name, what varies are its keys.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import Literal, TextIO, cast

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from chassis.redaction import redact, redact_text
from chassis.telemetry import current_trace_id

_QUIET = ("aiokafka", "asyncio", "faststream", "grpc", "httpcore", "httpx", "uvicorn.access")
"""Libraries whose INFO lines repeat ours, or show request lines."""
_OWN = frozenset({"ts", "level", "service", "trace_id", "logger", "_record", "_from_structlog"})


def configure(
    service: str,
    *,
    level: str = "info",
    log_format: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process, ours and libraries', redacted to one stream (standard output)."""
    target = stream or sys.stdout
    shared = _shared_processors(service)
    # Redacted before a line becomes a log record: no other handler ever holds the clear value.
    finishing: list[Processor] = [structlog.processors.format_exc_info, redact_personal]
    structlog.configure(
        processors=[*shared, *finishing, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), *finishing],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format, target),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def bind(**ids: object) -> None:
    """Add ids to every later line of this task and the tasks it starts."""
    structlog.contextvars.bind_contextvars(**ids)


def bound(**ids: object) -> AbstractContextManager[None]:
    """Add ids to the lines within a ``with`` block."""
    return structlog.contextvars.bound_contextvars(**ids)


def redact_personal(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Redact every value of a line, its text and its traceback; a failure to read one hides the value."""
    shown: EventDict = {}
    for key, value in event.items():
        try:
            shown[redact_text(key)] = value if key in _OWN else redact(value, key=key)
        except Exception as problem:  # noqa: BLE001 - a line about trouble must not make trouble
            shown[redact_text(key)] = f"<unreadable {type(problem).__name__}>"
    return shown


def _shared_processors(service: str) -> list[Processor]:
    def add_origin(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        trace_id = current_trace_id()
        if trace_id:
            event["trace_id"] = trace_id
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        add_origin,
    ]


def _renderer(log_format: str, stream: TextIO) -> Processor:
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="ts")
    return structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False, default=str)
