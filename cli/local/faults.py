"""Why the local stack cannot do what was asked."""

from __future__ import annotations

from chassis.errors import Kind, declare

STACK_NOT_RUNNING = declare(
    "STACK_NOT_RUNNING",
    Kind.FAILED_PRECONDITION,
    "本地服务未运行,请先执行 tongban up。",
    "The local stack is not running; start it with: tongban up",
)
STACK_DID_NOT_START = declare(
    "STACK_DID_NOT_START",
    Kind.UNAVAILABLE,
    "本地服务未能启动:{detail}。日志目录:{logs}",
    "The local stack did not start: {detail}. Logs are in {logs}",
)
STACK_RUNS_OTHERWISE = declare(
    "STACK_RUNS_OTHERWISE",
    Kind.FAILED_PRECONDITION,
    "本地服务已使用 {bus} 消息总线运行,请先执行 tongban down。",
    "The local stack already runs with the {bus} bus; stop it first with: tongban down",
)
SUCCESSOR_NOT_READY = declare(
    "SUCCESSOR_NOT_READY",
    Kind.UNAVAILABLE,
    "{name} 的新进程未能就绪,原进程继续运行,见 {log}",
    "The new process of {name} did not become ready, the old one serves on; see {log}",
)
PORT_TAKEN = declare(
    "PORT_TAKEN",
    Kind.FAILED_PRECONDITION,
    "端口 {port} 已被占用。",
    "Port {port} is taken by another process.",
)
POSTGRES_DID_NOT_START = declare(
    "POSTGRES_DID_NOT_START",
    Kind.UNAVAILABLE,
    "内嵌 PostgreSQL 未能启动:{detail}",
    "The embedded PostgreSQL did not start: {detail}",
)
PREPARATION_FAILED = declare(
    "PREPARATION_FAILED",
    Kind.UNAVAILABLE,
    "数据库或消息总线准备失败:{detail}",
    "Databases or bus could not be prepared: {detail}",
)
