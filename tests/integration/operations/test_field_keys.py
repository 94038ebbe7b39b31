"""A backup beside the wrong field keys is refused: before anything is touched, or with all of it undone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chassis.clock import system_clock
from chassis.errors import Fault
from chassis.keyring import new_keyring, with_new_key
from chassis.rewrap import EncryptedTable
from cli.local.layout import SERVICES
from cli.operations import field_keys
from cli.operations.cut import connect
from cli.operations.field_keys import check_present, key_id_in, keys_needed
from cli.operations.manifest import Manifest
from cli.operations.parts import read_identity
from cli.operations.places import field_keyrings
from cli.operations.progress import silent
from cli.operations.restoring import restore
from cli.operations.targets import rehearsal
from tests.integration.operations.conftest import Drill

pytestmark = [pytest.mark.promise("P15")]


def rehearse(
    drill: Drill, manifest: Manifest, keyrings: dict[str, Path]
) -> tuple[Fault | None, int, list[Path]]:
    """Return why it was refused, how many cases are there then, and which stores."""

    async def run() -> tuple[Fault | None, int, list[Path]]:
        async with rehearsal(manifest, keyrings) as places:
            refused = None
            try:
                await restore(drill.backup, manifest, read_identity(drill.identity), places, silent)
            except Fault as fault:
                refused = fault
            connection = await connect(places.server_dsn, "intake")
            left = await connection.fetchval("select count(*) from service_case")
            await connection.close()
            return refused, left, [each for each in places.stores.values() if each.exists()]

    return asyncio.run(run())


def test_a_backup_says_which_field_keys_its_content_needs(drill: Drill, manifest: Manifest) -> None:
    key_id = f"{system_clock().year}-1"
    assert keys_needed(manifest) == {service: {key_id} for service in SERVICES}
    assert manifest.stores["certs/documents"].field_keys == (key_id,)
    check_present(manifest, field_keyrings(drill.layout))


def test_every_missing_key_is_named_before_anything_is_touched(
    drill: Drill, manifest: Manifest, tmp_path: Path
) -> None:
    keyrings = field_keyrings(drill.layout)
    rotated = with_new_key(keyrings["intake"].read_text(), system_clock())
    other = tmp_path / "certs.json"
    other.write_text(rotated.replace(f'"{system_clock().year}-1"', '"2019-1"'))
    given = {name: path for name, path in keyrings.items() if name != "seal"} | {"certs": other}
    refused, left, stores = rehearse(drill, manifest, given)
    assert refused is not None
    assert refused.code == "RESTORE_KEYS_MISSING"
    key_id = f"{system_clock().year}-1"
    assert [each.field_path for each in refused.violations] == [f"certs.{key_id}", f"seal.{key_id}"]
    assert f"certs.{key_id}, seal.{key_id}" in refused.en
    assert (left, stores) == (0, [])


def test_a_key_of_the_same_id_that_opens_nothing_is_named_and_all_is_undone(
    drill: Drill, manifest: Manifest, tmp_path: Path
) -> None:
    """A deployment that was made anew has a first key of this year, too."""
    fresh = tmp_path / "notify.json"
    fresh.write_text(new_keyring(system_clock()))
    refused, left, stores = rehearse(drill, manifest, field_keyrings(drill.layout) | {"notify": fresh})
    assert refused is not None
    assert refused.code == "RESTORE_KEYS_WRONG"
    assert refused.metadata == {"service": "notify", "key_id": f"{system_clock().year}-1"}
    assert (left, stores) == (0, [])


def test_with_its_own_keys_it_is_restored(drill: Drill, manifest: Manifest) -> None:
    refused, left, stores = rehearse(drill, manifest, field_keyrings(drill.layout))
    assert refused is None
    assert left > 0
    assert len(stores) == 3


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_names_what_it_keeps_encrypted(service: str) -> None:
    found = list(field_keys._encrypted(service))
    assert all(isinstance(each, EncryptedTable) for each in found)
    assert len(found) >= 2 if service != "seal" else found


def test_only_what_begins_as_a_ciphertext_has_a_key_id() -> None:
    header = b"\x01\x01\x062026-1"
    assert key_id_in(header + b"abcdef" * 8) == "2026-1"
    assert key_id_in(b"\x01\x02\x082026-abc" + bytes(40)) == "2026-abc"
    for none in (b"", b"\x01", b"{}" * 20, header[:5], b"\x01\x01\x0d2026-1" + bytes(40), bytes(60)):
        assert key_id_in(none) == ""
