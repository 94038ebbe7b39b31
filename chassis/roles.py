"""One database and two roles per service: the owner that migrates, the role that serves.

``<service>_migrator`` owns database ``<service>`` and its schema; ``<service>_app`` may only read
and write rows of what the owner creates, now and later. No role can connect to another service's
database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from chassis.errors import PEER_UNAVAILABLE, Kind, declare

DATABASE_NAME_MALFORMED = declare(
    "DATABASE_NAME_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "数据库名 {name} 不合规范",
    "{name} is no database name of ours: lower-case letters, digits and underscores",
)
ROLE_WITHOUT_PASSWORD = declare(
    "ROLE_WITHOUT_PASSWORD",
    Kind.FAILED_PRECONDITION,
    "数据库角色 {roles} 没有口令",
    "Database roles {roles} have no password",
)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_ROLE_ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"

_DATABASE_GRANTS = (
    "REVOKE ALL ON DATABASE {service} FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE {service} TO {service}_migrator",
    "GRANT CONNECT ON DATABASE {service} TO {service}_app",
)
_SCHEMA_GRANTS = (
    "ALTER SCHEMA public OWNER TO {service}_migrator",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {service}_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}_app",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {service}_app",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {service}_migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service}_app",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {service}_migrator GRANT USAGE, SELECT ON SEQUENCES TO {service}_app",
)


def roles_of(service: str) -> tuple[str, str]:
    """Return the owner's and the serving role's name."""
    return f"{service}_migrator", f"{service}_app"


def dsn_for(admin_dsn: str, *, database: str, user: str, password: str) -> str:
    """Return the DSN of a role on the same server; host, port and options stay those of the admin's."""
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit((parts.scheme, f"{login}@{host}", f"/{database}", parts.query, ""))


async def provision(admin_dsn: str, services: Iterable[str], passwords: Mapping[str, str]) -> None:
    """Create or mend the database and the roles of each service; running it again changes nothing.

    ``passwords`` has one entry per role name; existing roles get it set again, which is how a
    password is rotated. ``admin_dsn`` is a superuser's. The name ``bus`` is a service here as any other.

    Raises DATABASE_NAME_MALFORMED, ROLE_WITHOUT_PASSWORD, PEER_UNAVAILABLE.
    """
    names = tuple(services)
    _check(names, passwords)
    try:
        connection = await asyncpg.connect(admin_dsn)
        try:
            for service in names:
                await _make_database(connection, service, passwords)
        finally:
            await connection.close()
        for service in names:
            await _grant_schema(admin_dsn, service)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as problem:
        raise PEER_UNAVAILABLE(peer="database") from problem


def _check(services: tuple[str, ...], passwords: Mapping[str, str]) -> None:
    for service in services:
        if not _NAME.fullmatch(service):
            raise DATABASE_NAME_MALFORMED(name=service)
    bare = [role for service in services for role in roles_of(service) if not passwords.get(role)]
    if bare:
        raise ROLE_WITHOUT_PASSWORD(roles=", ".join(bare))


async def _make_database(
    connection: asyncpg.Connection[Any], service: str, passwords: Mapping[str, str]
) -> None:
    owner, app = roles_of(service)
    for role in (owner, app):
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f"CREATE ROLE {role}")
        # The server quotes the literal: a password may hold any character.
        change = await connection.fetchval(
            "SELECT format('ALTER ROLE %I WITH %s PASSWORD %L', $1::text, $2::text, $3::text)",
            role,
            _ROLE_ATTRIBUTES,
            passwords[role],
        )
        await connection.execute(change)
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", service):
        await connection.execute(
            f"CREATE DATABASE {service} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0"
        )
    for statement in _DATABASE_GRANTS:
        await connection.execute(statement.format(service=service))


async def _grant_schema(admin_dsn: str, service: str) -> None:
    parts = urlsplit(admin_dsn)
    connection = await asyncpg.connect(urlunsplit(parts._replace(path=f"/{service}")))
    try:
        async with connection.transaction():
            for statement in _SCHEMA_GRANTS:
                await connection.execute(statement.format(service=service))
    finally:
        await connection.close()
