"""Why a local Kafka cannot be had; each refusal says what to install or change."""

from __future__ import annotations

from chassis.errors import Kind, declare

KAFKA_TOOL_MISSING = declare(
    "KAFKA_TOOL_MISSING",
    Kind.FAILED_PRECONDITION,
    "本机缺少 {tool},无法启动 Kafka。",
    "This machine has no {tool}, which a local Kafka needs.",
)
KAFKA_JARS_UNAVAILABLE = declare(
    "KAFKA_JARS_UNAVAILABLE",
    Kind.UNAVAILABLE,
    "无法下载 Kafka 程序包:{detail}",
    "The Kafka jars could not be fetched: {detail}",
)
KAFKA_JARS_DIFFER = declare(
    "KAFKA_JARS_DIFFER",
    Kind.FAILED_PRECONDITION,
    "Kafka 程序包与锁定清单不符:{names}",
    "The Kafka jars are not those of jars.lock: {names}",
)
KAFKA_DID_NOT_START = declare(
    "KAFKA_DID_NOT_START",
    Kind.UNAVAILABLE,
    "Kafka 未能启动,详见 {log_path}:{detail}",
    "Kafka did not start, see {log_path}: {detail}",
)
