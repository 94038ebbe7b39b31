"""One database and two roles per service: the owner that migrates, the role that serves.

``<service>_migrator`` owns database ``<service>`` and its schema; ``<service>_app`` may only read
and write rows of what the owner creates, now and later. No role can connect to another service's
database.

A service may have further roles, which can connect and nothing else. What they may, and what its
serving role may not, its migrations say in a function ``own_grants()`` of the schema, which is called
whenever grants are set: after provisioning anew or a restore they are what they were.

One role, `BACKUP_ROLE`, reads every row of every one of the databases and may hold their writers for an
instant, which a backup needs; it can change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
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
_VERSION_IS_THE_OWNERS = (
    "DO $$ BEGIN IF to_regclass('public.alembic_version') IS NOT NULL THEN"
    " REVOKE INSERT, UPDATE, DELETE ON public.alembic_version FROM {service}_app; END IF; END $$"
)
_SCHEMA_GRANTS = (
    "ALTER SCHEMA public OWNER TO {service}_migrator",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {service}_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}_app",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {service}_app",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {service}_migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service}_app",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {service}_migrator GRANT USAGE, SELECT ON SEQUENCES TO {service}_app",
    _VERSION_IS_THE_OWNERS,
)
_FURTHER_GRANTS = (
    "GRANT CONNECT ON DATABASE {service} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
)
_OWN_GRANTS = "own_grants()"

BACKUP_ROLE = "tongban_backup"
_BACKUP_GRANTS = (
    "GRANT CONNECT ON DATABASE {service} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    # MAINTAIN is what LOCK TABLE … IN SHARE MODE asks of one who may not write.
    "GRANT SELECT, MAINTAIN ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {service}_migrator GRANT SELECT, MAINTAIN ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {service}_migrator GRANT SELECT ON SEQUENCES TO {role}",
)

Further = Mapping[str, Sequence[str]]
"""The further roles of services, by the service."""
_NONE: Further = MappingProxyType({})


def roles_of(service: str) -> tuple[str, str]:
    """Return the owner's and the serving role's name."""
    return f"{service}_migrator", f"{service}_app"


def dsn_for(admin_dsn: str, *, database: str, user: str, password: str) -> str:
    """Return the DSN of a role on the same server; host, port and options stay those of the admin's."""
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit((parts.scheme, f"{login}@{host}", f"/{database}", parts.query, ""))


async def provision(
    admin_dsn: str, services: Iterable[str], passwords: Mapping[str, str], further: Further = _NONE
) -> None:
    """Create or mend the database and the roles of each service; running it again changes nothing.

    ``passwords`` has one entry per role name; existing roles get it set again, which is how a
    password is rotated. ``admin_dsn`` is a superuser's. The name ``bus`` is a service here as any other.
    The backup's role is made where it has a password.

    Raises DATABASE_NAME_MALFORMED, ROLE_WITHOUT_PASSWORD, PEER_UNAVAILABLE.
    """
    names = tuple(services)
    roles = {service: (*roles_of(service), *further.get(service, ())) for service in names}
    _check(roles, passwords)
    try:
        connection = await asyncpg.connect(admin_dsn)
        try:
            for service in names:
                await _make_database(connection, service, roles[service], passwords)
            if passwords.get(BACKUP_ROLE):
                await _make_role(connection, BACKUP_ROLE, passwords[BACKUP_ROLE])
        finally:
            await connection.close()
        for service in names:
            backs_up = bool(passwords.get(BACKUP_ROLE))
            await _grant_schema(admin_dsn, service, further.get(service, ()), backs_up=backs_up)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as problem:
        raise PEER_UNAVAILABLE(peer="database") from problem


def _check(roles: Mapping[str, Sequence[str]], passwords: Mapping[str, str]) -> None:
    for name in (*roles, *(role for each in roles.values() for role in each)):
        if not _NAME.fullmatch(name):
            raise DATABASE_NAME_MALFORMED(name=name)
    bare = [role for each in roles.values() for role in each if not passwords.get(role)]
    if bare:
        raise ROLE_WITHOUT_PASSWORD(roles=", ".join(bare))


async def _make_database(
    connection: asyncpg.Connection[Any], service: str, roles: Sequence[str], passwords: Mapping[str, str]
) -> None:
    for role in roles:
        await _make_role(connection, role, passwords[role])
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", service):
        await connection.execute(
            f"CREATE DATABASE {service} OWNER {roles[0]} ENCODING 'UTF8' TEMPLATE template0"
        )
    for statement in _DATABASE_GRANTS:
        await connection.execute(statement.format(service=service))


async def _make_role(connection: asyncpg.Connection[Any], role: str, password: str) -> None:
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role}")
    # The server quotes the literal: a password may hold any character.
    change = await connection.fetchval(
        "SELECT format('ALTER ROLE %I WITH %s PASSWORD %L', $1::text, $2::text, $3::text)",
        role,
        _ROLE_ATTRIBUTES,
        password,
    )
    await connection.execute(change)


async def _grant_schema(admin_dsn: str, service: str, further: Sequence[str], *, backs_up: bool) -> None:
    parts = urlsplit(admin_dsn)
    connection = await asyncpg.connect(urlunsplit(parts._replace(path=f"/{service}")))
    try:
        async with connection.transaction():
            for statement in _SCHEMA_GRANTS:
                await connection.execute(statement.format(service=service))
            for role in further:
                for statement in _FURTHER_GRANTS:
                    await connection.execute(statement.format(service=service, role=role))
            for statement in _BACKUP_GRANTS if backs_up else ():
                await connection.execute(statement.format(service=service, role=BACKUP_ROLE))
            if await connection.fetchval("SELECT to_regprocedure($1) IS NOT NULL", f"public.{_OWN_GRANTS}"):
                # As its owner: a superuser runs nothing that another role wrote.
                await connection.execute(f"SET LOCAL ROLE {roles_of(service)[0]}")
                await connection.execute(f"SELECT public.{_OWN_GRANTS}")
    finally:
        await connection.close()
