"""Logs of every service can leave the machine: encrypted, both sides proved, nowhere by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
FILES = {name: DEPLOY / name for name in ("docker-compose.yml", "observability/logs-elsewhere.yml")}


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
    return found["services"]


def test_every_service_sends_its_log_away_by_proved_tls() -> None:
    own, away = read("docker-compose.yml"), read("observability/logs-elsewhere.yml")
    assert set(own) == set(away), "a new service has its line"
    for name, each in away.items():
        assert set(each) == {"logging"}, f"{name}: nothing but its log changes"
        logging = each["logging"]
        assert logging["driver"] == "syslog"
        options = logging["options"]
        assert options["syslog-address"].startswith("tcp+tls://${TONGBAN_LOG_SERVER:?")
        for secret in ("syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key"):
            assert ":?" in options[secret], "demanded, no default"
        assert "syslog-tls-skip-verify" not in options
        assert options["syslog-format"].startswith("rfc5424")


def test_no_service_can_write_to_where_its_log_is_kept() -> None:
    """What a process says goes to Docker by a pipe; its own file system is read-only and has no log of the host."""
    for name, each in read("docker-compose.yml").items():
        assert each["read_only"] is True, name
        assert each["logging"]["driver"] == "json-file"
        for volume in each.get("volumes", ()):
            source = volume.get("source", "") if isinstance(volume, dict) else str(volume)
            assert not source.startswith(("/var/lib/docker", "/var/log", "/")), (name, source)
            assert "docker.sock" not in source
