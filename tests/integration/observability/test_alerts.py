"""A real Prometheus reads every service, and its alerts fire when something is broken."""

from __future__ import annotations

import os
import signal
import ssl

import httpx
import pytest
import yaml

from tests.integration.observability.conftest import Watched
from tests.integration.observability.prometheus import DEPLOYED, Prometheus
from tests.unit.observability.test_rules import _METRIC, alerts, queries

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
SERVICES = {"intake", "certs", "seal", "notify"}
TRUE_HERE = {"CalendarEnds", "DiskFull", "MemoryHigh", "LicencesLate", "LogAdoptionUnfinished"}
"""Alerts that may be right about the day, the machine and the stack of the tests: it has taken in a stock of years
and is younger than the hours for which an older release may still write. Without their delays they fire at once."""
ONLY_IN_TROUBLE = {"tongban_rate_limit_refusals_total"}
"""Split by what went wrong: there is nothing to export before it did."""
OF_A_WITNESS = {"tongban_witness_log_size", "tongban_witness_evidence_files"}
"""A witness is no service of ours: whoever runs it has them scraped."""
OF_NEIGHBOURS = {
    "tongban_replica_age_seconds",
    "tongban_replica_frozen",
    "tongban_replica_messages_refused_total",
    "tongban_replica_owed_age_seconds",
    "tongban_replica_owed_uses",
    "tongban_replica_unproved_licences",
}
"""Exported by a registry that agreed with another one."""


async def test_every_service_is_read_and_every_rule_can_be_computed(
    watched: Watched, prometheus: Prometheus
) -> None:
    await prometheus.until(lambda: prometheus.up() == dict.fromkeys(SERVICES, True))
    await prometheus.until(lambda: all(each["health"] != "unknown" for each in _rules(prometheus)))
    assert [each["lastError"] for each in _rules(prometheus) if each["health"] != "ok"] == []
    assert {each["name"] for each in _rules(prometheus)} == set(alerts())


async def test_every_metric_that_is_looked_at_is_exported_by_a_running_service(
    watched: Watched, prometheus: Prometheus
) -> None:
    looked_at = {name for _, query in queries() for name in _METRIC.findall(query)}
    await prometheus.until(lambda: prometheus.up() == dict.fromkeys(SERVICES, True))
    httpx.get(f"http://{watched.state.services['intake'].http}/nowhere", trust_env=False)  # one refusal
    await prometheus.scraped_again()
    assert looked_at - prometheus.names() - ONLY_IN_TROUBLE - OF_A_WITNESS - OF_NEIGHBOURS == set()


async def test_nothing_fires_while_all_is_well(watched: Watched, prometheus: Prometheus) -> None:
    await prometheus.until(lambda: prometheus.up() == dict.fromkeys(SERVICES, True))
    await prometheus.until(lambda: {name for name, _ in prometheus.firing()} <= TRUE_HERE)


async def test_a_service_that_stands_still_is_told_of_and_forgotten_when_it_goes_on(
    watched: Watched, prometheus: Prometheus, record_property
) -> None:
    await prometheus.until(lambda: prometheus.up() == dict.fromkeys(SERVICES, True))
    process = watched.state.processes["notify"].pid
    os.kill(process, signal.SIGSTOP)
    try:
        seconds = await prometheus.until(lambda: ("ServiceDown", "notify") in prometheus.firing())
    finally:
        os.kill(process, signal.SIGCONT)
    assert ("ServiceDown", "certs") not in prometheus.firing()
    await prometheus.until(lambda: ("ServiceDown", "notify") not in prometheus.firing())
    record_property("measured", f"alert {seconds:.1f} s after the service stood still")


async def test_no_metric_holds_a_personal_value(watched: Watched) -> None:
    citizen = watched.citizen
    for at in watched.state.services.values():
        text = httpx.get(f"https://{at.metrics}/metrics", verify=_client(watched), trust_env=False).text
        assert "tongban_ready 1.0" in text
        assert [
            v for v in (citizen.name, citizen.id_number, citizen.phone, citizen.address) if v in text
        ] == []


async def test_the_metrics_door_lets_nobody_in_without_a_certificate_of_ours(watched: Watched) -> None:
    stranger = ssl.create_default_context(cafile=str(watched.tls.authority))
    for at in watched.state.services.values():
        with pytest.raises(httpx.TransportError):
            httpx.get(f"https://{at.metrics}/metrics", verify=stranger, trust_env=False)


def _client(watched: Watched) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(watched.tls.authority))
    context.load_cert_chain(watched.tls.certificate, watched.tls.key)
    return context


def _rules(prometheus: Prometheus) -> list[dict[str, str]]:
    return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]


def test_the_rules_are_those_of_the_deployment() -> None:
    assert yaml.safe_load((DEPLOYED / "prometheus.yml").read_text("utf-8"))["rule_files"] == ["alerts.yml"]
