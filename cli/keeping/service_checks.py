"""The doctor's look at one service: settings, files, database, bus; everything that is wrong, not the first."""

from __future__ import annotations

import asyncio
import importlib
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from cryptography import x509

from chassis.auth import read_jwks, signing_key_from_pem
from chassis.bus import BusConfig, open_bus
from chassis.clock import system_clock
from chassis.errors import Fault
from chassis.event import declared_events
from chassis.failures import DATABASE_TROUBLE, describe
from chassis.keyring import read_keyring
from chassis.measuring import backed_up_at
from chassis.row_codes import count_in
from chassis.rpc.tls import TlsFiles, read_pair
from chassis.schema import expected_head
from chassis.settings import ServiceSettings
from cli.keeping import findings as known
from cli.keeping.findings import Finding, Severity, judged

CONNECT_SECONDS = 5.0
SKEW_WARNING_SECONDS, SKEW_ERROR_SECONDS = 1.0, 10.0
KEY_DAYS = 365
CERTIFICATE_WARNING_DAYS, CERTIFICATE_ERROR_DAYS = 30, 3
BACKUP_WARNING_SECONDS, BACKUP_ERROR_SECONDS = 26 * 3_600, 72 * 3_600
OUTBOX_WARNING_SECONDS, OUTBOX_ERROR_SECONDS = 60, 600
LAG_WARNING_SECONDS, LAG_ERROR_SECONDS = 60, 600
DISK_WARNING_MIB, DISK_ERROR_MIB = 2_048, 256
_MIB = 1024**2


async def check_service(service: str, settings: ServiceSettings) -> list[Finding]:
    """Return what was found of one service, in order and wrong."""
    found = [*_files(service, settings)]
    async for each in _database(service, settings):
        found.append(each)  # noqa: PERF401 - an async comprehension hides where it waits
    found += await _bus(service, settings)
    return found


def _files(service: str, settings: ServiceSettings) -> Iterator[Finding]:
    yield _keyring(service, settings.field_keys)
    yield from _certificates(service, settings)
    yield _token_keys(service, settings)
    yield _disk(service, settings.data_dir)
    yield _backup(service, settings.backup_state_file)


def _keyring(service: str, path: Path) -> Finding:
    name = f"{service} field key"
    try:
        ring = read_keyring(path)
    except Fault as fault:
        return Finding(name, Severity.ERROR, fault.en, known.KEYRING)
    made = ring.made_at.get(ring.active) or datetime(int(ring.active[:4]), 1, 1, tzinfo=UTC)
    days = (system_clock() - made).days
    found = f"{ring.active}, {days} days, {len(ring.keys)} keys"
    return judged(name, found, known.KEY_OLD, warning=days > KEY_DAYS)


def _certificates(service: str, settings: ServiceSettings) -> Iterator[Finding]:
    files = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    try:
        read_pair(files)
    except (OSError, ValueError) as problem:
        yield Finding(f"{service} key pair", Severity.ERROR, _said(problem), known.CERTIFICATE_WRONG)
    for path in (files.certificate, files.authority):
        name = f"{service} {path.name}"
        try:
            chain = x509.load_pem_x509_certificates(path.read_bytes())
            left = (min(each.not_valid_after_utc for each in chain) - system_clock()).days
        except (OSError, ValueError) as problem:
            yield Finding(name, Severity.ERROR, _said(problem), known.CERTIFICATE_WRONG)
            continue
        ends, soon = left < CERTIFICATE_ERROR_DAYS, left < CERTIFICATE_WARNING_DAYS
        yield judged(name, f"{left} days left", known.CERTIFICATE, error=ends, warning=soon)


def _token_keys(service: str, settings: ServiceSettings) -> Finding:
    name = f"{service} token keys"
    try:
        published = {key.kid for key in read_jwks(settings.token_keys).keys}
        private: Path | None = getattr(settings, "token_key", None)
        own = signing_key_from_pem(private.read_bytes()).kid if private else None
    except (OSError, ValueError) as problem:
        return Finding(name, Severity.ERROR, _said(problem), known.TOKEN_KEYS)
    unpublished = own is not None and own not in published
    found = f"{len(published)} published" + (", the signing one is not among them" if unpublished else "")
    return judged(name, found, known.TOKEN_KEYS, error=unpublished)


def _disk(service: str, path: Path) -> Finding:
    place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free // _MIB
    error, warning = free < DISK_ERROR_MIB, free < DISK_WARNING_MIB
    return judged(f"{service} disk", f"{free} MiB free at {place}", known.DISK, error=error, warning=warning)


def _backup(service: str, state: Path | None) -> Finding:
    name = f"{service} backup"
    if state is None:
        return Finding(name, Severity.INFO, "no TONGBAN_BACKUP_STATE_FILE")
    try:
        age = (system_clock() - backed_up_at(state)).total_seconds()
    except (OSError, ValueError, KeyError) as problem:
        return Finding(name, Severity.ERROR, _said(problem), known.BACKUP)
    error, warning = age > BACKUP_ERROR_SECONDS, age > BACKUP_WARNING_SECONDS
    return judged(name, f"{age / 3_600:.1f} h old", known.BACKUP, error=error, warning=warning)


async def _database(service: str, settings: ServiceSettings) -> AsyncIterator[Finding]:
    name = f"{service} database"
    dsn = settings.database_dsn.get_secret_value()
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, command_timeout=30)
    except (ValueError, *DATABASE_TROUBLE) as problem:
        yield Finding(name, Severity.ERROR, _said(problem), known.DATABASE)
        return
    try:
        yield await _clock(service, connection)
        yield await _schema(service, connection)
        coded = partial(_rows, settings.field_keys)
        for check in (_dead_letters, _outbox, coded):
            try:
                yield await check(service, connection)
            except asyncpg.UndefinedTableError:
                continue  # the schema finding says it
    except DATABASE_TROUBLE as problem:
        yield Finding(name, Severity.ERROR, _said(problem), known.DATABASE)
    finally:
        await connection.close()


async def _clock(service: str, connection: asyncpg.Connection[Any]) -> Finding:
    before, began = system_clock(), time.monotonic()
    theirs = await connection.fetchval("select clock_timestamp()")
    waited = time.monotonic() - began
    skew = abs((theirs - before).total_seconds() - waited / 2)
    doubt = waited / 2
    error, warning = skew - doubt > SKEW_ERROR_SECONDS, skew - doubt > SKEW_WARNING_SECONDS
    found = f"{skew:.3f} s from the database's"
    return judged(f"{service} clock", found, known.CLOCK, error=error, warning=warning)


async def _schema(service: str, connection: asyncpg.Connection[Any]) -> Finding:
    expected, found = expected_head(service), None
    if await connection.fetchval("select to_regclass('public.alembic_version') is not null"):
        found = await connection.fetchval("select version_num from public.alembic_version")
    return judged(
        f"{service} schema", f"{found or '-'}, expected {expected}", known.SCHEMA, error=found != expected
    )


async def _dead_letters(service: str, connection: asyncpg.Connection[Any]) -> Finding:
    row = await connection.fetchrow(
        "select count(*) as n, min(parked_at) as oldest from dead_letter where state = 'parked'"
    )
    assert row is not None
    found = f"{row['n']} parked" + (f", oldest {row['oldest']:%Y-%m-%d %H:%M}Z" if row["n"] else "")
    return judged(f"{service} dead letters", found, known.DEAD_LETTERS, error=row["n"] > 0)


async def _outbox(service: str, connection: asyncpg.Connection[Any]) -> Finding:
    row = await connection.fetchrow(
        "select count(*) as n, extract(epoch from clock_timestamp() - min(created_at)) as age"
        " from event_log where published_at is null"
    )
    assert row is not None
    age = float(row["age"] or 0)
    error, warning = age > OUTBOX_ERROR_SECONDS, age > OUTBOX_WARNING_SECONDS
    found = f"{row['n']} unpublished, oldest {age:.0f} s"
    return judged(f"{service} outbox", found, known.OUTBOX, error=error, warning=warning)


async def _rows(field_keys: Path, service: str, connection: asyncpg.Connection[Any]) -> Finding:
    """Tell rows without integrity code: an error once all were given theirs."""
    tables = await connection.fetch(
        "select table_name from information_schema.columns"
        " where table_schema = 'public' and column_name = 'mac' order by table_name"
    )
    count = await count_in(connection, [row["table_name"] for row in tables])
    required = not tables or _codes_required(field_keys)
    return judged(
        f"{service} rows",
        f"{count} rows without integrity code in {len(tables)} tables",
        known.ROWS,
        error=required and count > 0,
        warning=not required,
    )


def _codes_required(field_keys: Path) -> bool:
    try:
        return read_keyring(field_keys).row_codes_since is not None
    except Fault:
        return True  # the keyring finding says it


async def _bus(service: str, settings: ServiceSettings) -> list[Finding]:
    topics = consumed_topics(service)
    config = BusConfig(
        kind=settings.bus,
        client_id=f"{service}-doctor",
        kafka_bootstrap=settings.kafka_bootstrap,
        postgres_dsn=settings.bus_dsn.get_secret_value() if settings.bus_dsn else None,
        tls_ca_file=settings.tls_authority if settings.kafka_tls else None,
        tls_cert_file=settings.tls_certificate,
        tls_key_file=settings.tls_key,
    )
    try:
        async with asyncio.timeout(2 * CONNECT_SECONDS):
            bus = await open_bus(config)
            try:
                lags = await bus.lag(service, topics) if topics else []
            finally:
                await bus.close()
    except (Fault, *DATABASE_TROUBLE) as problem:
        return [Finding(f"{service} bus", Severity.ERROR, _said(problem), known.BUS)]
    now, unread = system_clock(), sum(each.events for each in lags)
    ages = [(now - each.oldest_unread_at).total_seconds() for each in lags if each.oldest_unread_at]
    age, lost = max(ages, default=0.0), any(each.behind for each in lags)
    found = f"{unread} unread, oldest {age:.0f} s" + (", some deleted unread" if lost else "")
    error, warning = lost or age > LAG_ERROR_SECONDS, age > LAG_WARNING_SECONDS
    return [judged(f"{service} consumer", found, known.LAG, error=error, warning=warning)]


def consumed_topics(service: str) -> list[str]:
    """Return the topics of the events that a service's card says it consumes."""
    importlib.import_module("events")
    card = importlib.import_module(f"services.{service}").__doc__ or ""
    said = re.search(r"^Consumes: (.*)$", card, re.MULTILINE)
    names = {name.strip() for name in said[1].split(",")} if said else set()
    return sorted({event.TOPIC for event in declared_events() if event.__name__ in names})


def _said(problem: BaseException) -> str:
    """Return what happened without what a foreign text may quote."""
    if isinstance(problem, ValueError) and "belong together" in str(problem):
        return str(problem)
    return describe(problem)
