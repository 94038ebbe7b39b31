"""Gauges say what is, and nothing where nothing is known."""

from __future__ import annotations

import json
import math
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest

from chassis import process_metrics
from chassis.keyring import new_keyring
from chassis.measuring import Looked, backed_up_at, measure_once
from chassis.messaging_metrics import announce
from chassis.metrics_door import metrics_door
from chassis.readiness import Readiness
from chassis.rpc.peer import Peer
from chassis.web import serve
from cli.local.authority import open_authority

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def value(name: str) -> float:
    for line in generate_latest().decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    raise KeyError(name)


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    tls = open_authority(tmp_path / "ca", now=lambda: NOW).identity(Peer("service", "intake"))
    keys = tmp_path / "field_keys.json"
    keys.write_text(new_keyring(NOW - timedelta(days=100)))
    settings: Any = SimpleNamespace(
        tls_certificate=tls.certificate,
        tls_authority=tls.authority,
        field_keys=keys,
        data_dir=tmp_path / "not yet made",
        backup_state_file=None,
        measure_seconds=1.0,
    )
    database: Any = SimpleNamespace(measure=lambda: None)
    return Looked(settings, database, Readiness("database"), lambda: NOW)


async def test_days_left_age_and_free_space_are_read_from_what_is_there(looked: Looked) -> None:
    await measure_once(looked)
    assert value("tongban_tls_certificate_days_left") == pytest.approx(90, abs=0.1)
    assert value("tongban_field_key_age_days") == pytest.approx(100, abs=0.1)
    assert 0 < value("tongban_disk_free_ratio") < 1


async def test_the_age_of_a_backup_is_unknown_infinite_or_true(looked: Looked, tmp_path: Path) -> None:
    process_metrics.BACKUP_AGE_SECONDS.set(math.nan)
    await measure_once(looked)
    assert math.isnan(value("tongban_backup_age_seconds"))
    state = looked.settings.backup_state_file = tmp_path / "state.json"  # type: ignore[misc]
    await measure_once(looked)
    assert value("tongban_backup_age_seconds") == math.inf
    state.write_text(json.dumps({"finished_at": (NOW - timedelta(hours=3)).isoformat()}))
    await measure_once(looked)
    assert value("tongban_backup_age_seconds") == 3 * 3600


def test_a_backup_time_without_offset_is_utc(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"finished_at": "2026-11-23T08:00:00"}')
    assert backed_up_at(tmp_path / "state.json") == NOW


async def test_what_cannot_be_read_is_counted_and_the_others_are_set(looked: Looked) -> None:
    Path(looked.settings.field_keys).unlink()
    before = process_metrics.MEASURE_FAILURES.labels("field_key")._value.get()
    await measure_once(looked)
    assert process_metrics.MEASURE_FAILURES.labels("field_key")._value.get() == before + 1
    assert value("tongban_tls_certificate_days_left") > 0


def test_a_counter_is_there_before_it_counts() -> None:
    announce("certs")
    shown = generate_latest().decode()
    assert 'tongban_inbox_gaps_total{service="certs"} 0.0' in shown
    assert 'tongban_relay_bus_changes_total{service="certs"} 0.0' in shown


def test_a_reason_that_is_not_declared_here_is_no_label() -> None:
    assert process_metrics.bounded("INVALID_REQUEST") == "INVALID_REQUEST"
    assert process_metrics.bounded("王小明") == "OTHER"


def test_there_is_no_metrics_door_without_a_port_and_none_without_client_certificates(tmp_path: Path) -> None:
    tls = open_authority(tmp_path).identity(Peer("service", "intake"))
    settings: Any = SimpleNamespace(metrics_port=None, metrics_host="127.0.0.1")
    assert metrics_door(settings, tls) is None
    context = serve._tls_context(tls, client_certificates=True)
    assert context.verify_mode is ssl.CERT_REQUIRED
