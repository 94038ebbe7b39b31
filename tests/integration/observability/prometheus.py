"""A real Prometheus with the rules of the deployment, asking a running local stack."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from chassis.rpc.tls import TlsFiles
from cli.local.ports import free_port
from cli.local.state import StackState
from tests.stacks.needs import unavailable

DEPLOYED = Path(__file__).resolve().parents[3] / "deploy" / "observability"
PATIENCE = "2s"
"""In place of each alert's own waiting time."""


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP interface."""

    address: str

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.address}/api/v1/{path}", params=parameters, trust_env=False, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]

    def up(self) -> dict[str, bool]:
        targets = self.get("targets")["activeTargets"]
        return {each["labels"]["service_name"]: each["health"] == "up" for each in targets}

    def firing(self) -> set[tuple[str, str]]:
        """Return alerts that fire, with the service they name."""
        return {
            (each["labels"]["alertname"], each["labels"].get("service_name", ""))
            for each in self.get("alerts")["alerts"]
            if each["state"] == "firing"
        }

    def names(self) -> set[str]:
        return set(self.get("label/__name__/values"))

    async def scraped_again(self) -> None:
        """Return when every target was read twice more: gauges are set every second, and so are the reads."""
        await asyncio.sleep(3)

    async def until(self, holds: Callable[[], bool], seconds: float = 40.0) -> float:
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, (self.up(), self.firing())
            await asyncio.sleep(0.5)
        return time.monotonic() - began


def program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        unavailable("Prometheus is missing: apt-get install prometheus")
    return found


@contextmanager
def running(directory: Path, state: StackState, tls: TlsFiles) -> Iterator[Prometheus]:
    """Run Prometheus on a loopback port for the block."""
    _write(directory, state, tls)
    address = f"127.0.0.1:{free_port()}"
    command = [
        program(),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_ready(f"http://{address}/-/ready", process, directory / "log")
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait(20)


def _write(directory: Path, state: StackState, tls: TlsFiles) -> None:
    """Write the deployment's own configuration with this stack's addresses and a quicker pulse."""
    config = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(directory / "alerts.yml")]
    ours = next(job for job in config["scrape_configs"] if job["job_name"] == "tongban")
    ours["tls_config"] |= {
        "ca_file": str(tls.authority),
        "cert_file": str(tls.certificate),
        "key_file": str(tls.key),
    }
    for each in ours["static_configs"]:
        each["targets"] = [str(state.services[each["labels"]["service_name"]].metrics)]
    config["scrape_configs"] = [ours]
    rules = yaml.safe_load((DEPLOYED / "alerts.yml").read_text("utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["for"] = PATIENCE
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    (directory / "alerts.yml").write_text(yaml.safe_dump(rules))


def _await_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(log.read_text())
