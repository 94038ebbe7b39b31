"""stack.json: what runs, where it listens, and how to find the processes again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from chassis.errors import Fault, Kind, Reason
from cli.local.processes import ProcessId

Bus = Literal["postgres", "kafka"]
LOCAL_LOG_ORIGIN = "tongban/certs"
"""Name of a stack's log unless it is told another; that of stacks from before it was written down."""


class Endpoints(BaseModel):
    """Where one service listens, ``host:port``; ``https://host:port`` where its HTTP door speaks TLS."""

    http: str
    grpc: str
    metrics: str | None = None


class Running(BaseModel):
    """One process of the stack."""

    pid: int
    started_at: float
    restarts: int = 0

    @property
    def process(self) -> ProcessId:
        """The process as named for ever."""
        return ProcessId(self.pid, self.started_at)


class Failure(BaseModel):
    """The refusal that ended the stack, as its supervisor met it."""

    reason: str
    zh: str
    en: str

    def fault(self) -> Fault:
        """Return it for another process to raise."""
        return Fault(Reason(self.reason, Kind.UNAVAILABLE, self.zh, self.en))


class StackState(BaseModel):
    """The whole stack as its supervisor last wrote it; holds no secret."""

    state: Literal["starting", "ready", "failed", "stopped"] = "starting"
    bus: Bus = "postgres"
    catalogue: Path
    kafka_bootstrap: str | None = None
    """The broker's address: as given, else that of the local broker once it runs."""
    kafka_is_ours: bool = False
    supervisor: Running | None = None
    tsa: str | None = None
    """Where the time-stamping authority listens, ``host:port``."""
    witness: str | None = None
    """Where the witness of the registry's log listens, ``host:port``."""
    log_origin: str = LOCAL_LOG_ORIGIN
    """The name of the registry's log in its checkpoints."""
    sharing: str | None = None
    """Where the registry answers in the form of GB/T 36906 over mutual TLS, ``host:port``."""
    services: dict[str, Endpoints] = Field(default_factory=dict)
    processes: dict[str, Running] = Field(default_factory=dict)
    started_seconds: float | None = None
    """From the start of the supervisor until everything was ready."""
    failure: Failure | None = None

    @property
    def supervised(self) -> bool:
        """Whether the supervisor that wrote this still lives."""
        return self.supervisor is not None and self.supervisor.process.alive()

    def write(self, path: Path) -> None:
        """Replace the file in one step, readable by its owner only."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(self.model_dump_json(indent=2) + "\n")
        fresh.replace(path)


def read_state(path: Path) -> StackState | None:
    """Return the state of a stack, None where there never was one."""
    try:
        return StackState.model_validate_json(path.read_text())
    except (FileNotFoundError, ValidationError):
        return None
