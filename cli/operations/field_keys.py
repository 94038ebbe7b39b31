"""Which field keys a backup's content is under, and whether those that are here open it.

A backup holds no keys: restored beside other keys it would look whole, and nobody could read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.keyring import read_keyring
from chassis.rewrap import EncryptedTable
from cli.operations.faults import FIELD_KEY_MISSING, RESTORE_KEYS_MISSING, RESTORE_KEYS_WRONG
from cli.operations.manifest import Manifest
from cli.operations.tables import Connection
from cli.roots import ROOTS

_HEADER = re.compile(rb"\x01[\x01\x02]([\x06-\x0d])(20[0-9]{2}-[0-9a-z]{1,8})", re.DOTALL)
"""How ciphertexts of `chassis.fields` begin: version, suite, length of the key id, the key id."""
_BYTES_COLUMNS = """
select c.relname as table, a.attname as column from pg_attribute a join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
and a.atttypid = 'bytea'::regtype order by 1, 2
"""
_HEADERS = """
select distinct substring({column} for 3 + get_byte({column}, 2)) as header from public.{table}
where case when length({column}) > 31 then get_byte({column}, 0) = 1 and get_byte({column}, 1) in (1, 2)
  and get_byte({column}, 2) between 6 and 13 else false end
"""
_ONE = "select {column} from public.{table} where substring({column} for length($1::bytea)) = $1 limit 1"


def key_id_in(data: bytes) -> str:
    """Return the id of the field key that a ciphertext is under; empty for what is none of ours."""
    found = _HEADER.match(data)
    return found[2][: found[1][0]].decode() if found and len(found[2]) >= found[1][0] else ""


async def key_ids_in(connection: Connection) -> tuple[str, ...]:
    """Return the ids of the field keys that any value of a database is under, sorted."""
    found: set[str] = set()
    for row in await connection.fetch(_BYTES_COLUMNS):
        query = _HEADERS.format(table=f'"{row["table"]}"', column=f'"{row["column"]}"')
        found |= {key_id_in(each["header"]) for each in await connection.fetch(query)}
    return tuple(sorted(found - {""}))


def check_present(manifest: Manifest, keyrings: Mapping[str, Path]) -> None:
    """Return if every field key that the backup needs is in its service's keyring; nothing is touched.

    Raises RESTORE_KEYS_MISSING naming every missing key, KEYRING_MALFORMED.
    """
    missing = []
    for service, needed in keys_needed(manifest).items():
        ring = read_keyring(keyrings[service]).keys if service in keyrings else {}
        missing += [FIELD_KEY_MISSING.at(f"{service}.{each}") for each in sorted(needed - ring.keys())]
    if missing:
        named = ", ".join(each.field_path for each in missing)
        raise RESTORE_KEYS_MISSING(violations=missing, count=len(missing), keys=named)


def keys_needed(manifest: Manifest) -> dict[str, set[str]]:
    """Return the ids of the field keys that the content of each service is under."""
    needed = {name: set(record.field_keys) for name, record in manifest.databases.items()}
    for name, store in manifest.stores.items():
        needed.setdefault(name.partition("/")[0], set()).update(store.field_keys)
    return {service: ids for service, ids in needed.items() if ids}


async def check_opens(connection: Connection, service: str, keyring: Path) -> None:
    """Return if the keyring opens a value of each encrypted column and key, as they stand on the connection.

    An id alone proves nothing: a deployment that was made anew has a key of the same id. Raises RESTORE_KEYS_WRONG.
    """
    cipher = FieldCipher(read_keyring(keyring), service=service)
    for table in _encrypted(service):
        for column, field in table.fields.items():
            names = {"table": f'"{table.table}"', "column": f'"{column}"'}
            for row in await connection.fetch(_HEADERS.format(**names)):
                if not key_id_in(row["header"]):
                    continue
                value = await connection.fetchval(_ONE.format(**names), row["header"])
                try:
                    cipher.decrypt_bytes(value, field=field)
                except Fault as problem:
                    raise RESTORE_KEYS_WRONG(service=service, key_id=key_id_in(value)) from problem


def _encrypted(service: str) -> Iterator[EncryptedTable]:
    for named in vars(import_module(ROOTS[service])).values():
        for each in named if isinstance(named, tuple) else (named,):
            if isinstance(each, EncryptedTable):
                yield each
