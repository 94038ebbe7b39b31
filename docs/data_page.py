"""docs/security/data.md: classes of data and their protection, costly functions, logs, mending of dependencies."""  # noqa: INP001 - see code_facts

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import yaml

from chassis.requests import DEPARTMENT_RETENTION, TERMINAL_RETENTION
from chassis.retention import DAY_SECONDS, Retention
from chassis.rpc.faults import MAX_MESSAGE_BYTES
from docs.code_facts import ROOT, SERVICES, product_files
from services.intake.clients.inspection.reasons import LIMITS
from services.intake.clients.inspection.runner import SECONDS as INSPECTION_SECONDS
from services.intake.settings import IntakeSettings
from supply.audit import ACCEPTED

MIB = 1024 * 1024
COMPOSE = ROOT / "deploy" / "docker-compose.yml"
_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_EVENT = re.compile(r"[a-z][a-z0-9_]+")

HEAD = """<!-- Written by `make docs` from the code; edit the code, or docs/data_page.py. -->

# Data, costly functions, logs, dependencies

What may be done with what: [rules](rules.md). Algorithms and keys: [crypto inventory](../crypto-inventory.md). Backup and deletion: [operations](../operations.md).

## Classes of data (ASVS 14.1.1, 14.1.2; PIPL 51)

| Class | What | At rest | On the way | In logs, traces, metrics, events, addresses | Who |
|---|---|---|---|---|---|
| secret | private keys, passwords, keyrings, one-time codes, bearer tokens | a file of one holder, codes as a keyed hash, tokens not at all | mutual TLS; a code by the provider of short messages | never | its one holder |
| sensitive personal | numbers of ID documents, faces of licences, contents of cases, uploads | encrypted field by field or file by file, under keys of one service; found by keyed hash only | TLS, never in an address | never; ids of ours stand for persons | the person; the department whose part it is; per field as [rules](rules.md) say |
| personal | names, mobile numbers, e-mail and postal addresses, texts of messages | the same | the same | never | the same; masked where a glance is enough |
| of business | states, deadlines, ids, counts, records of use | in clear; records that must stand are chained or coded against change | mutual TLS | ids and states | departments for what is theirs, operators |
| public | catalogue, guides, public keys, trust bundle, status lists | in clear, signed where it must be believed | TLS | yes | anybody |

Nothing personal leaves for third parties but what a short message or a mail says. Answers to a person are `no-store`."""


def data_page() -> str:
    """Return the page; every product module must be imported."""
    return "\n".join([HEAD, *_encrypted(), *_costly(), *_logs(), *_events(), *_dependencies(), ""])


def _encrypted() -> Iterator[str]:
    yield "\nEncrypted columns and files (`keys rewrap` passes over the same list):\n"
    yield "| Service | Table | Columns |\n|---|---|---|"
    for service in SERVICES:
        for each in _tables(service):
            columns = ", ".join(f"`{column}`" for column in each.fields)
            yield f"| {service} | `{each.table}` | {columns} |"
    yield "| intake, certs | files | whole: uploads, archives, documents |"


def _tables(service: str) -> list[Any]:
    found: Any = import_module(
        f"services.{service}.store{'' if service == 'notify' else '.encrypted'}"
    ).ENCRYPTED
    return list(found)


def _costly() -> Iterator[str]:
    yield "\n## Costly functions (ASVS 15.1.3)\n"
    yield "| Function | What it costs | What bounds it |\n|---|---|---|"
    for what, cost, bound in (
        ("look into an upload", "processor and memory: parsers",
         (f"a process of its own, {LIMITS.cpu_seconds} s of processor, {LIMITS.memory_bytes // MIB} MiB, {INSPECTION_SECONDS:g} s in all; "
         f"{LIMITS.packed_bytes // MIB} MiB packed, {LIMITS.unpacked_bytes // MIB} MiB unpacked, ratio {LIMITS.ratio}, {LIMITS.entries} entries, {LIMITS.pixels // 10**6} megapixels; `uploads_by_person`")),
        ("verify a document", "processor: signatures, XML", f"`verifications_by_source`; {MAX_MESSAGE_BYTES // MIB} MiB over gRPC, larger ones in chunks; files at once in `services/seal/rpc/verification.py`; limits of packages in `services/seal/domain/ofd/package.py`"),
        ("send a one-time code", "money", "`codes_by_person_*`, `codes_by_phone_*`, hourly amounts per terminal, network and in all"),
        ("list parts or changes", "the database", "`rpc_list_parts`, `rpc_list_changes`; pages; a stream waits for a bell, not in a loop"),
        ("fetch a file of a material, an archive", "disk and network", "`rpc_files`; one case at a time"),
        ("import a register", "the database", "limits of a row in `services/certs/domain/importing/row.py`; a department's own rows only"),
        ("seal a document", "the signing key", "by event only; no call asks for it"),
        ("log in through a platform", "calls to another system", "`code_tries_by_source`; keys of the platform are looked for once a minute"),
    ):  # fmt: skip
        yield f"| {what} | {cost} | {bound} |"


def _logs() -> Iterator[str]:
    keep, own = Retention(), IntakeSettings.model_fields
    rotated = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["x-contained"]["logging"]["options"]
    yield "\n## Logs and how long they are kept (ASVS 16.1.1, 16.2.3)\n"
    yield "| Log | Format, clock | Where | Kept | Who reads |\n|---|---|---|---|---|"
    for what, form, where, kept, who in (
        ("lines of the four services and their jobs", "JSON, UTC, trace id, redacted", ("standard output; from there Docker's log, "
         "or at once another machine by `deploy/observability/logs-elsewhere.yml`"),
         f"here {rotated['max-file']} files of {rotated['max-size']} each; elsewhere six months at least (网络安全法 21)", "operators"),
        ("lines of PostgreSQL and Kafka", "their own", "the same", "the same", "operators"),
        ("spans", "OTLP, no personal attribute", "the collector, on to the county's store", "as that store says", "operators"),
        ("metrics", "Prometheus", "Prometheus", "as Prometheus is told", "operators"),
        ("event log and bus", "CloudEvents", "databases, Kafka", f"{_days(keep.event_log_seconds)}, {_days(keep.bus_seconds)}", "services"),
        ("events that could not be handled", "as received", "table `dead_letter`", f"{_days(keep.dead_letter_seconds)} once resolved", "operators"),
        ("use of licences, of seals", "rows, chained where they prove", "certs, seal", "not deleted", "holder, department, auditors"),
        ("who read a person's contact", "rows", "intake, table `contact_read`", f"{own['keep_contact_reads_days'].default} days", "auditors"),
        ("sessions", "rows", "intake, table `login_session`", f"{own['keep_sessions_days'].default} days", "operators"),
        ("stored answers", "encrypted rows", "every service", f"{TERMINAL_RETENTION.days} d for terminals, {DEPARTMENT_RETENTION.days} d for departments", "nobody"),
    ):  # fmt: skip
        yield f"| {what} | {form} | {where} | {kept} | {who} |"
    yield (
        "\nA line holds `ts`, `level`, `service`, `event`, `trace_id`, the request's id and ids of ours. Log-ins: `log_in_begun`, "
        "`log_in_accepted`, `log_in_refused`, `log_out`; refusals: `request_refused` (HTTP), `call_refused` (gRPC); "
        "unexpected errors: an `incident` that the caller sees too."
    )


def _days(seconds: float) -> str:
    return f"{seconds / DAY_SECONDS:g} days"


def _events() -> Iterator[str]:
    """Yield every line that our code writes, by where it is written."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in product_files():
        parts = path.relative_to(ROOT).parts
        place = "/".join(parts[:2]) if parts[0] == "services" else parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (event := _logged(node)):
                found[place].add(event)
    yield "\n| Written in | Events |\n|---|---|"
    for place, events in sorted(found.items()):
        yield f"| `{place}/` | {', '.join(f'`{each}`' for each in sorted(events))} |"


def _logged(call: ast.Call) -> str:
    named = isinstance(call.func, ast.Attribute) and call.func.attr in _LEVELS and call.args
    first = call.args[0] if named else None
    text = first.value if isinstance(first, ast.Constant) else ""
    return text if isinstance(text, str) and _EVENT.fullmatch(text) else ""


def _dependencies() -> Iterator[str]:
    yield "\n## How soon dependencies are mended (ASVS 15.1.1)\n"
    yield "| A known weakness that reaches us | Release with the mended version within |\n|---|---|"
    yield from (
        "| exploited, or critical (CVSS 9 and more) | 3 days |",
        "| high (7 to 8.9) | 14 days |",
        "| medium (4 to 6.9) | 60 days |",
        "| any other new version | 180 days |",
    )
    accepted = ", ".join(f"{each}: {reason}" for each, reason in sorted(ACCEPTED.items())) or "none"
    yield (
        "\nEverything is locked with digests and stands in the bill of materials (`python -m supply.bill`). `make audit` asks for known "
        "weaknesses of all of it before each release and fails for any that is not accepted by name, with a reason and an end. "
        f"Accepted now: {accepted}. Parsers of foreign files and cryptography are the risky ones: they run apart or are checked against known answers."
    )
