"""The dashboards of Grafana, described once: ``python deploy/observability/dashboards.py``, ``--check`` only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "tongban-prometheus"}
COLUMNS, WIDTH, HEIGHT = 2, 12, 8
P95 = "histogram_quantile(0.95, sum by (le, {by}) (rate({metric}_bucket[5m])))"


@dataclass(frozen=True)
class Panel:
    """One graph: title, unit of Grafana, and its queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]


def rate(metric: str, by: str) -> tuple[str, str]:
    """Return the query of a counter's rate by a label."""
    return f"sum by ({by}) (rate({metric}[5m]))", legend(by)


def p95(metric: str, by: str) -> tuple[str, str]:
    """Return the query of a histogram's 95th percentile by a label."""
    return P95.format(metric=metric, by=by), legend(by)


def legend(by: str) -> str:
    """Return the legend that shows labels."""
    return " ".join(f"{{{{{name.strip()}}}}}" for name in by.split(","))


def events(*names: str) -> Panel:
    """Return a graph of committed events per minute."""
    chosen = "|".join(name.replace(".", "\\\\.") for name in names)
    query = (
        f'sum by (event_type) (increase(tongban_events_committed_total{{event_type=~"{chosen}"}}[5m])) / 5'
    )
    return Panel("Committed events per minute", "short", ((query, legend("event_type")),))


def plain(title: str, unit: str, *queries: str) -> Panel:
    """Return a graph of gauges as they are."""
    return Panel(title, unit, tuple((query, "") for query in queries))


DASHBOARDS = {
    "overview": (
        "Tongban · Overview",
        [
            plain("Services up", "short", 'sum by (service_name) (up{job="tongban"})', "tongban_ready"),
            Panel("Calls by service", "reqps", (rate("tongban_rpc_server_seconds_count", "service_name"),)),
            Panel("Calls, 95th percentile", "s", (p95("tongban_rpc_server_seconds", "method"),)),
            Panel("Calls refused", "reqps", (rate("tongban_rpc_server_errors_total", "method, reason"),)),
            Panel("Requests, 95th percentile", "s", (p95("tongban_http_server_seconds", "route"),)),
            Panel("Requests refused", "reqps", (rate("tongban_http_server_errors_total", "route, reason"),)),
            Panel(
                "Calls to peers, 95th percentile", "s", (p95("tongban_rpc_client_seconds", "peer, status"),)
            ),
            Panel("Budgets that refuse", "reqps", (rate("tongban_rate_limit_refusals_total", "budget"),)),
            Panel(
                "Places taken",
                "percentunit",
                (("tongban_queue_in_use / (tongban_queue_limit > 0)", legend("service_name, pool")),),
            ),
            Panel(
                "Waiting for a connection, 95th percentile",
                "s",
                (p95("tongban_pool_wait_seconds", "service_name"),),
            ),
            Panel(
                "Transactions, 95th percentile", "s", (p95("tongban_transaction_seconds", "service_name"),)
            ),
            plain("Event loop standing still", "s", "tongban_event_loop_lag_seconds"),
            plain("Memory", "bytes", 'process_resident_memory_bytes{job="tongban"}'),
            Panel("Processors", "short", (rate('process_cpu_seconds_total{job="tongban"}', "service_name"),)),
            plain("Open files", "short", 'process_open_fds{job="tongban"}'),
            plain("Free disk", "percentunit", "tongban_disk_free_ratio"),
            plain(
                "Days left",
                "d",
                "tongban_tls_certificate_days_left",
                "tongban_calendar_days_left",
                "tongban_seal_list_days_left",
            ),
            plain("Age of the last backup", "s", "tongban_backup_age_seconds"),
        ],
    ),
    "events": (
        "Tongban · Events",
        [
            plain("Outbox, waiting", "short", "tongban_outbox_pending", "tongban_outbox_held"),
            plain("Outbox, oldest", "s", "tongban_outbox_oldest_seconds"),
            plain("Consumers, events behind", "short", "tongban_consumer_lag_events"),
            plain("Consumers, seconds behind", "s", "tongban_consumer_lag_seconds"),
            Panel("Published", "ops", (rate("tongban_relay_published_total", "service"),)),
            Panel("Applied", "ops", (rate("tongban_consumer_events_total", "service"),)),
            plain("Parked keys", "short", "tongban_parked_keys"),
            plain("Parked, oldest", "s", "tongban_parked_oldest_seconds"),
            Panel(
                "Skipped and retried",
                "ops",
                (
                    rate("tongban_inbox_duplicates_total", "service"),
                    rate("tongban_inbox_stale_total", "service"),
                    rate("tongban_consumer_attempts_total", "service"),
                    rate("tongban_consumer_backoffs_total", "service"),
                ),
            ),
            Panel(
                "Must stay zero",
                "short",
                (
                    ("increase(tongban_inbox_gaps_total[1h])", "gaps {{service}}"),
                    ("increase(tongban_relay_bus_changes_total[1h])", "other bus {{service}}"),
                    ("increase(tongban_relay_republished_total[1h])", "sent again {{service}}"),
                    ("increase(tongban_bus_commit_failures_total[1h])", "commits refused {{service}}"),
                    ("increase(tongban_dead_letters_total[1h])", "dead letters {{service}}"),
                ),
            ),
            Panel("One batch, 95th percentile", "s", (p95("tongban_consumer_batch_seconds", "service"),)),
            Panel("Relay failures", "ops", (rate("tongban_relay_failures_total", "service"),)),
        ],
    ),
    "cases": (
        "Tongban · Cases",
        [
            events(
                "intake.CaseSubmitted.v1",
                "intake.CaseClosed.v1",
                "intake.CaseWithdrawn.v1",
                "intake.CaseArchived.v1",
            ),
            events(
                "intake.PartAccepted.v1",
                "intake.PartDecided.v1",
                "intake.PartRefused.v1",
                "intake.PartCompleted.v1",
            ),
            events(
                "intake.SupplementRequested.v1",
                "intake.SupplementReceived.v1",
                "intake.RectificationOpened.v1",
            ),
            events("intake.CaseRated.v1", "intake.PersonRegistered.v1"),
            plain("Calendar, days left", "d", "tongban_calendar_days_left"),
            Panel("Requests by route", "reqps", (rate("tongban_http_server_seconds_count", "route"),)),
        ],
    ),
    "licences-and-seals": (
        "Tongban · Licences and seals",
        [
            events(
                "certs.LicenceMade.v1",
                "certs.LicenceIssued.v1",
                "certs.LicenceImported.v1",
                "certs.LicenceStatusChanged.v1",
            ),
            events("seal.DocumentSealed.v1", "seal.SealingRefused.v1", "seal.SealMade.v1"),
            events("certs.LicenceUsed.v1"),
            plain("Waiting for their seal", "short", "tongban_seal_waiting"),
            plain("Waiting for their seal, oldest", "s", "tongban_seal_waiting_oldest_seconds"),
            plain("Ledger of seal uses, rows", "short", "tongban_seal_ledger_rows"),
            plain(
                "Ledger, oldest use without a time stamp", "s", "tongban_seal_ledger_unstamped_oldest_seconds"
            ),
            plain("Self-test", "short", "tongban_seal_self_test"),
            plain("Lists and seals, days left", "d", "tongban_seal_list_days_left", "tongban_seal_days_left"),
            plain("Since a source was last heard of", "s", "tongban_certs_freshness_seconds"),
            plain("From the act to its arrival", "d", "tongban_certs_freshness_delay_days"),
            plain("Rows that arrived, by days from the act", "short", "tongban_certs_freshness_arrivals"),
            plain("Field key, age in days", "d", "tongban_field_key_age_days"),
            plain("Transparency log, leaves", "short", "tongban_log_leaves", "tongban_witness_log_size"),
            plain("Transparency log, leaves that wait", "short", "tongban_log_queue_leaves"),
            plain("Orders carried out late", "short", "tongban_licence_orders_late"),
            plain("PDFs of licences that wait", "short", "tongban_licence_pdfs_late"),
            plain("Annual inspections", "short", "tongban_licence_inspections"),
            plain(
                "Falls not told yet, flags unanswered",
                "short",
                "tongban_licence_falls_waiting",
                "tongban_reliance_flags_unanswered",
            ),
            plain("Disputes", "short", "tongban_disputes_overdue", "tongban_disputes_freezing"),
            plain("Replicas of other registries, age", "s", "tongban_replica_age_seconds"),
            plain("Replicated states without their proof", "short", "tongban_replica_unproved_licences"),
            plain("Uses that other registries were not told of", "short", "tongban_replica_owed_uses"),
        ],
    ),
    "messages": (
        "Tongban · Messages",
        [
            events("notify.MessageSent.v1", "notify.MessageFailed.v1"),
            Panel(
                "Until handed over, 95th percentile",
                "s",
                (p95("tongban_message_handover_seconds", "channel"),),
            ),
            Panel(
                "Answers of the provider", "ops", (rate("tongban_message_handover_seconds_count", "outcome"),)
            ),
            plain("Due", "short", "tongban_messages_due"),
            plain("Due, oldest", "s", "tongban_messages_due_oldest_seconds"),
            plain("Shared budgets, left", "percentunit", "tongban_rate_limit_left_ratio"),
        ],
    ),
}


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` compare; return the exit status."""
    stale = [path for path, text in documents() if not path.is_file() or path.read_text("utf-8") != text]
    for path, text in documents():
        if path in stale and "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        sys.stderr.write(f"{'not up to date' if '--check' in arguments else 'written'}: {path.name}\n")
    return 1 if stale and "--check" in arguments else 0


def documents() -> Iterator[tuple[Path, str]]:
    """Yield each dashboard's file and text."""
    for uid, (title, panels) in DASHBOARDS.items():
        text = json.dumps(dashboard(uid, title, panels), indent=1, ensure_ascii=False)
        yield HERE / f"{uid}.json", text + "\n"


def dashboard(uid: str, title: str, panels: list[Panel]) -> dict[str, Any]:
    """Return the JSON model of a dashboard."""
    return {
        "uid": f"tongban-{uid}",
        "title": title,
        "tags": ["tongban"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "editable": False,
        "links": [{"type": "dashboards", "tags": ["tongban"], "title": "Tongban", "asDropdown": True}],
        "panels": [_graph(number, panel) for number, panel in enumerate(panels)],
    }


def _graph(number: int, panel: Panel) -> dict[str, Any]:
    place = {"x": number % COLUMNS * WIDTH, "y": number // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT}
    return {
        "id": number + 1,
        "title": panel.title,
        "type": "timeseries",
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": text or "__auto"}
            for index, (query, text) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
