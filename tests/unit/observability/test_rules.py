"""Alerts and dashboards speak of metrics that exist, and every alert says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.event import declared_events
from chassis.telemetry import LABELS, Metric
from deploy.making.holders import HOLDERS
from docs.generate import load_everything
from docs.metrics_page import product_metrics
from tests.stacks.needs import unavailable

ROOT = Path(__file__).resolve().parents[3]
HERE = ROOT / "deploy" / "observability"
MINIMUM = {  # bar.md 5.4, and what the issue adds
    "outbox age": "OutboxOld",
    "consumer lag": "ConsumerLag",
    "dead letters": "DeadLetters",
    "calendar days left": "CalendarEnds",
    "licence freshness": "LicencesStale",
    "seal-log lag": "SealingLate",
    "one-time-code budget": "CodeBudgetLow",
    "certificate days left": "CertificateEnds",
    "backup age": "BackupOld",
    "service down": "ServiceDown",
    "error rate": "ErrorRate",
    "latency": "LatencyHigh",
    "disk": "DiskFull",
}
FOREIGN = {
    "up",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
}
SCRAPED = {"job", "instance", "service_name", "le"}
"""Labels that Prometheus itself adds."""
_METRIC = re.compile(r"\b(?:tongban|process)_[a-z0-9_]+\b|\bup\b")
_MATCHED = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_BY = re.compile(r"\b(?:by|without|on|ignoring) \(([^)]*)\)")


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((HERE / "alerts.yml").read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queries() -> Iterator[tuple[str, str]]:
    for name, rule in alerts().items():
        yield name, rule["expr"]
    for path in sorted((HERE / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


@cache
def known() -> dict[str, Metric]:
    load_everything()
    return {name: each for each in product_metrics() for name in exported_names(each)}


def exported_names(metric: Metric) -> tuple[str, ...]:
    if metric.kind != "histogram":
        return (metric.name,)
    return tuple(f"{metric.name}{suffix}" for suffix in ("_bucket", "_count", "_sum"))


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_a_query_names_only_metrics_labels_and_events_that_exist(where: str, query: str) -> None:
    unquoted = re.sub(r'"[^"]*"', '""', query)
    named = [name for name in _METRIC.findall(unquoted) if name not in FOREIGN]
    assert [name for name in named if name not in known()] == [], where
    allowed = SCRAPED | {label for name in named for label in known()[name].labels}
    split = {label.strip() for group in _BY.findall(unquoted) for label in group.split(",")}
    assert (split | {label for label, _ in _MATCHED.findall(query)}) <= allowed, where
    types = {event.TYPE for event in declared_events()}
    for label, value in _MATCHED.findall(query):
        if label == "event_type":
            assert set(value.replace("\\\\.", ".").split("|")) <= types, where


def test_every_minimum_signal_of_operations_has_its_alert() -> None:
    assert {signal for signal, alert in MINIMUM.items() if alert not in alerts()} == set()


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_links_a_runbook_with_meaning_check_fix_and_escalation(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    text = (ROOT / rule["annotations"]["runbook_url"]).read_text("utf-8")
    assert f"Alert `{name}`" in text
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Meaning", "Check", "Fix", "Escalation"]


def test_every_runbook_belongs_to_an_alert() -> None:
    linked = {Path(rule["annotations"]["runbook_url"]).name for rule in alerts().values()}
    assert {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - linked == {"README.md"}


def test_every_gauge_and_histogram_stands_in_a_dashboard_or_an_alert() -> None:
    shown = {name for _, query in queries() for name in _METRIC.findall(query)}
    unseen = {
        each.name
        for each in product_metrics()
        if each.kind != "counter" and not shown.intersection(exported_names(each))
    }
    assert unseen == set()


def test_metric_names_follow_the_conventions_of_prometheus() -> None:
    for each in product_metrics():
        assert set(each.labels) <= LABELS
        assert each.kind == "counter" or not each.name.endswith("_total"), each.name
        assert not re.search(r"_(ms|millis|minutes|hours|percent)\b", each.name), each.name
        assert each.kind != "histogram" or each.name.endswith("_seconds"), each.name


def test_the_dashboards_are_those_described() -> None:
    script = HERE / "dashboards.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_dashboards_are_provisioned_from_the_source_that_they_name() -> None:
    source = yaml.safe_load((HERE / "grafana/provisioning/datasources/prometheus.yaml").read_text("utf-8"))
    uid = source["datasources"][0]["uid"]
    for path in (HERE / "grafana" / "dashboards").glob("*.json"):
        panels = json.loads(path.read_text("utf-8"))["panels"]
        assert {panel["datasource"]["uid"] for panel in panels} == {uid}


def test_every_service_is_scraped_over_mutual_tls_and_by_its_own_name() -> None:
    jobs = yaml.safe_load((HERE / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    ours = next(job for job in jobs if job["job_name"] == "tongban")
    assert ours["scheme"] == "https"
    assert {"ca_file", "cert_file", "key_file"} <= set(ours["tls_config"])
    named = {each["labels"]["service_name"]: each["targets"] for each in ours["static_configs"]}
    assert named == {
        name: [f"{name}.service.tongban.internal:9100"] for name in ("intake", "certs", "seal", "notify")
    }


def test_the_collector_uses_only_what_it_defines_and_takes_spans_over_mutual_tls() -> None:
    config = yaml.safe_load((HERE / "otel-collector.yaml").read_text("utf-8"))
    for pipeline in config["service"]["pipelines"].values():
        for kind, used in pipeline.items():
            assert set(used) <= set(config[kind])
    assert "client_ca_file" in config["receivers"]["otlp"]["protocols"]["grpc"]["tls"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=["configuration", "rules", "rules fire and stay silent"],
)
def test_prometheus_itself_accepts(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("promtool is missing: apt-get install prometheus")
    done = subprocess.run(
        [promtool, *arguments], cwd=HERE, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_firing_and_silent() -> None:
    tests = yaml.safe_load((HERE / "alerts_test.yml").read_text("utf-8"))["tests"]
    tried = [each for test in tests for each in test["alert_rule_test"]]
    assert {each["alertname"] for each in tried if each["exp_alerts"]} == set(alerts())
    assert {each["alertname"] for each in tried if not each["exp_alerts"]} == set(alerts())


@pytest.mark.parametrize(
    ("service", "file"), [("prometheus", "prometheus.yml"), ("collector", "otel-collector.yaml")]
)
def test_a_configuration_reads_only_files_that_its_container_is_handed(service: str, file: str) -> None:
    named = set(re.findall(r"/run/([\w/.-]+)", (HERE / file).read_text("utf-8")))
    assert named
    assert named <= {f"tls/{name}" for name in HOLDERS[service]}


def test_no_metrics_door_is_published() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "docker-compose.yml").read_text("utf-8"))
    published = [port for each in compose["services"].values() for port in each.get("ports", [])]
    assert [port for port in published if str(port).rpartition(":")[2] in {"9100", "9090"}] == []
