"""docs/security/rules.md: what is let in, how often, by whom, and how one logs in; its tables come from the code."""  # noqa: INP001 - see code_facts

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, cast

from chassis.auth import tokens
from chassis.errors import declared
from chassis.rpc.faults import MAX_MESSAGE_BYTES
from chassis.rpc.server import ServerLimits
from chassis.web.app import WebOptions, web_app
from chassis.web.patience import BODY_SECONDS, GAP_SECONDS, HEADER_SECONDS, MAX_HEADER_BYTES
from chassis.web.pressure import Bounds
from docs.access_tables import access, named, short
from docs.code_facts import place_of, product_files
from services.intake.api import api_router
from services.intake.api.uploads import MAX_UPLOAD_BYTES
from services.intake.app import RPC_BUDGETS
from services.intake.clients import openid
from services.intake.domain.identity import challenge, platform_log_in, session
from services.intake.settings import IntakeSettings
from services.intake.usecases.identity.platform_log_in import LOWEST_LEVEL

MIB = 1024 * 1024
ACROSS = (
    # A rule over several fields or over time, and the reason that a caller sees.
    ("a number of an ID card holds its birthday and its check digit; name and number belong together", "CARD_NOT_CONFIRMED"),
    ("every question of a guide that the county asks is answered, with one of its answers", "GUIDE_ANSWER_MISSING"),
    ("an item is begun by a kind of applicant that it admits", "APPLICANT_NOT_ADMITTED"),
    ("who begins, fills, hands in, answers or withdraws a case is proved as surely as its items ask", "REAL_NAME_LEVEL_TOO_LOW"),
    ("form and materials of a case change only while it is a draft or a part has asked", "CASE_NOT_EDITABLE"),
    ("a material is supplied in one of the ways its item allows", "SUPPLY_NOT_ALLOWED"),
    ("a licence replaces a material only if it is of the kind, the holder and the state the item asks for", "LICENCE_NOT_ACCEPTED"),
    ("a case is handed in once; what is missing is named all at once", "CASE_ALREADY_SUBMITTED"),
    ("a case is withdrawn before any part is decided", "WITHDRAWAL_TOO_LATE"),
    ("a decision rests on the version that was read", "ETAG_MISMATCH"),
    ("a request key stands for one request", "REQUEST_ID_REUSED"),
)  # fmt: skip


def rules_page() -> str:
    """Return the page; every product module must be imported."""
    app = web_app("intake", options=WebOptions(show_documentation=True))
    app.include_router(api_router(cast("Any", None)))
    described = app.openapi()
    return "\n".join(
        [
            HEAD,
            *_input(described),
            *_across(),
            *_limits(),
            *access(described),
            *_log_in(),
            *_sessions(),
        ]
    )


HEAD = """<!-- Written by `make docs` from the code; edit the code, or docs/rules_page.py. -->

# Rules: input, limits, access, log-in, sessions

Everything below is enforced on the server. What a caller sees of a refusal: [errors](../errors.md). Data: [data](data.md)."""


def _input(described: dict[str, Any]) -> Iterator[str]:
    yield "\n## Input (ASVS 2.1.1)\n"
    yield (
        "Unknown fields, texts with a NUL and bodies of another type are refused; every wrong field is named at once. "
        f"A gRPC message has at most {MAX_MESSAGE_BYTES // MIB} MiB; `request_id` and `Idempotency-Key` are UUIDs. "
        "Identifiers are checked by their check digits (`standards/identifiers/`), forms of items by the catalogue "
        "(`services/intake/domain/catalogue/forms.py`), rows of registers by `services/certs/domain/importing/`, "
        "uploads by `services/intake/clients/inspection/`.\n"
    )
    yield "| Body | Field | Rule |\n|---|---|---|"
    schemas = _schemas(described)
    for name in sorted(_written(described)):
        schema = schemas[name]
        for field, rule in schema.get("properties", {}).items():
            needed = "" if field in schema.get("required", ()) else "; may be left out"
            yield f"| {name} | `{field}` | {_rule(rule)}{needed} |"
    yield "\n| Route | Parameter | Rule |\n|---|---|---|"
    seen: set[tuple[str, str]] = set()
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            for each in route.get("parameters", ()):
                line = f"`{each['name']}` ({each['in']})", _rule(each["schema"])
                if line not in seen:
                    seen.add(line)
                    yield f"| {method.upper()} {path} | {line[0]} | {line[1]} |"
    yield "\nA parameter stands at the first route that has it; further routes have the same rule."


def _schemas(described: dict[str, Any]) -> dict[str, Any]:
    return {short(name): schema for name, schema in described["components"]["schemas"].items()}


def _written(described: dict[str, Any]) -> set[str]:
    """Return the schemas of request bodies, with those inside them."""
    found: set[str] = set()
    open_ones = [
        name
        for methods in described["paths"].values()
        for route in methods.values()
        for name in named(route.get("requestBody", {}))
    ]
    while open_ones:
        name = open_ones.pop()
        if name not in found:
            found.add(name)
            open_ones += named(_schemas(described)[name])
    return found


_SAID = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "to {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} entries",
    "format": "{}",
    "const": "`{}`",
}


def _rule(rule: dict[str, Any]) -> str:
    """Return a JSON schema in words."""
    if "$ref" in rule:
        return short(str(rule["$ref"]))
    options = rule.get("anyOf") or rule.get("oneOf")
    if options:
        return " or ".join(dict.fromkeys(_rule(each) for each in options))
    words = [str(rule.get("type", "any"))]
    words += [said.format(_plain(rule[name])) for name, said in _SAID.items() if name in rule]
    if "pattern" in rule:
        words.append("`" + rule["pattern"].replace("|", "\\|") + "`")
    if "enum" in rule:
        words.append("one of " + ", ".join(f"`{each}`" for each in rule["enum"]))
    inner = rule.get("items") or rule.get("additionalProperties")
    if isinstance(inner, dict) and inner:
        words.append(f"of ({_rule(inner)})")
    return ", ".join(words)


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _across() -> Iterator[str]:
    yield "\n## Across fields and steps (ASVS 2.1.2)\n"
    yield "| Rule | Refused as | Declared in |\n|---|---|---|"
    by_code = {each.code: each for each in declared()}
    for rule, code in ACROSS:
        yield f"| {rule} | `{code}` | `{place_of(by_code[code])}` |"


def _limits() -> Iterator[str]:
    yield "\n## Limits per user and overall (ASVS 2.1.3, 15.1.3)\n"
    yield (
        "Counts survive restarts and hold across processes (`chassis/limits.py`). The name says per whom; "
        "a refusal carries the time to come back. Settings in brackets may be raised by the operator.\n"
    )
    yield "| Limit | Amount | Within |\n|---|---|---|"
    for name, amount, seconds in sorted({*_allowances(), *_budgets()}):
        yield f"| `{name}` | {amount} | {_within(seconds)} |"
    for field in ("codes_per_terminal_hour", "codes_per_network_hour", "codes_per_hour"):
        yield f"| one-time codes (`{IntakeSettings.variable(field)}`) | {IntakeSettings.model_fields[field].default} | 1 h |"
    yield "\n| Bound of one process | Value |\n|---|---|"
    bounds, options, rpc = Bounds(), WebOptions(), ServerLimits()
    for what, value in (
        ("HTTP requests answered at a time, and waiting", f"{bounds.running}, {bounds.waiting}"),
        ("HTTP answer begun within", f"{bounds.answer_seconds:g} s"),
        ("HTTP body, upload", f"{options.max_body_bytes // MIB} MiB, {MAX_UPLOAD_BYTES // MIB} MiB"),
        ("HTTP headers", f"{MAX_HEADER_BYTES // 1024} KiB within {HEADER_SECONDS:g} s"),
        ("HTTP body arrives within, pauses of at most", f"{BODY_SECONDS:g} s, {GAP_SECONDS:g} s"),
        ("gRPC calls at a time", str(rpc.max_concurrent_calls)),
        ("gRPC call without a deadline of its own, stream", f"{rpc.default_deadline_seconds:g} s, {rpc.stream_deadline_seconds:g} s"),
    ):  # fmt: skip
        yield f"| {what} | {value} |"


def _allowances() -> Iterator[tuple[str, int, int]]:
    """Yield the limits whose three values stand in the source."""
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Allowance", "Budget"}:
                values = [each.value for each in node.args[:3] if isinstance(each, ast.Constant)]
                if len(values) == 3:
                    yield cast("tuple[str, int, int]", tuple(values))


def _budgets() -> Iterator[tuple[str, int, int]]:
    for budget in RPC_BUDGETS.values():
        yield budget.name, budget.amount, budget.per_seconds


def _within(seconds: int) -> str:
    return next(
        f"{seconds // unit} {word}"
        for unit, word in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
        if seconds % unit == 0
    )


def _log_in() -> Iterator[str]:
    yield "\n## Ways to log in, and what stops guessing (ASVS 6.1.1, 6.1.3)\n"
    yield "| Who | By what | Real-name level | Bound to |\n|---|---|---|---|"
    yield from (
        "| citizen at a terminal | card read by a registered terminal (its signature over the reading, once, one minute) and a one-time code to the stored number | 3 | the terminal |",
        f"| citizen at home | OpenID Connect with the one configured platform: code flow, PKCE, `state`, `nonce`, signed ID token | of its `acr`, {LOWEST_LEVEL} at least | the browser that began |",
        "| department, service, operator | a certificate of our authority, mutual TLS; no token stands for a system | – | the key |",
    )
    yield "\nThere is no other way, no password, no default account, no way to reset anything over the network.\n"
    yield "| Defence | Value |\n|---|---|"
    for what, value in _defences():
        yield f"| {what} | {value} |"
    yield (
        "\nNobody can lock a person out without a registered terminal that read that person's card. An unknown number, a wrong, used, late "
        "or locked code and another terminal's have one answer. Every try leaves a line in the log: [data](data.md)."
    )


def _defences() -> Iterable[tuple[str, str]]:
    return (
        ("digits of a code", str(challenge.CODE_DIGITS)),
        ("a code holds", _long(challenge.LIFETIME)),
        ("wrong tries of one code", str(challenge.MAX_TRIES)),
        ("sendings of one code, apart", f"{challenge.MAX_SENDS}, {_long(challenge.RESEND_AFTER)}"),
        (
            "failed codes that lock a person's log-in",
            f"{challenge.FAILURES_THAT_LOCK} within {_long(challenge.FAILURE_WINDOW)}, for {_long(challenge.LOCK_OUT)}",
        ),
        ("an attempt through the platform holds", f"{_long(platform_log_in.ATTEMPT_LIFETIME)}, once"),
        ("log-in at the platform, at most before", f"{openid.MAX_AGE_SECONDS // 60} min (`auth_time`)"),
        ("algorithms of ID tokens", ", ".join(openid.ALGORITHMS)),
    )


def _sessions() -> Iterator[str]:
    yield "\n## Sessions (ASVS 7.1.1–7.1.3, 7.6.1)\n"
    yield "| Rule | Value |\n|---|---|"
    for what, value in (
        ("a session lasts, from the log-in and whatever is done", _long(session.ABSOLUTE_LIFETIME)),
        ("idle time", "no rule of its own: a whole session is as short as an idle time would be"),
        ("a token opens anything for", f"{tokens.LIFETIME_SECONDS // 60} min by default, never beyond its session"),
        ("sessions of one person at a time", "any number, each at its own terminal or browser, none with another's rights"),
        ("ended by", "the person; its time; `tongban sessions end --person ID` or `--all`; `tongban keys retire` for all tokens"),
        ("ended how soon", "on the next call: the session is looked up for each request"),
        ("a session of the platform", ("apart: ours ends by its own time and is not renewed by it; a new one needs a log-in there not older "
                                      "than above; we offer no address for the platform's log-out messages")),
        ("a browser closed or a terminal left", "the session ends by its time; log-out clears what the browser keeps"),
    ):  # fmt: skip
        yield f"| {what} | {value} |"
    yield ""


def _long(length: timedelta) -> str:
    return _within(int(length.total_seconds()))
