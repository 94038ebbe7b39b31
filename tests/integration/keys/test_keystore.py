"""Seal's keystore secret rotates while it seals; the maker's lists and seals are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.errors import Fault
from cli.keeping import key_files
from services.seal.app.rewrapping import count_keystore, rewrap_keystore
from services.seal.keystore import SoftwareKeystore
from services.seal.usecases.cabinet import Cabinet
from tests.integration.seal.conftest import SECRET, SealWorld, stocked, world
from tests.unit.seal.sealing_room import sm2

__all__ = ["stocked", "world"]
pytestmark = [pytest.mark.promise("P17")]


async def test_the_keystores_secret_rotates_without_a_sealing_refused(
    stocked: SealWorld, tmp_path: Path
) -> None:
    secret = tmp_path / "tongban_seal_keystore_key"
    secret.write_text(SECRET)
    keystore = SoftwareKeystore(SECRET, purpose="seal", ask=secret.read_text)

    async def seal(licence_id: str) -> None:
        stocked.cabinet._opened.clear()
        await stocked.deliver(licence_id)
        assert await stocked.sealed(licence_id)

    stocked.cabinet = Cabinet(sm2(), keystore)
    stocked.__post_init__()
    stocked.cabinet = Cabinet(sm2(), keystore)
    from services.seal.consumers import handlers

    stocked.handler = handlers(stocked.unit, stocked.unit.work, stocked.cabinet, stocked.documents)[0]
    await seal("before")
    key_files.rotate_secret(secret)
    await seal("added")
    assert await count_keystore(stocked.database, secret.read_text()) == (0, 2)
    assert await rewrap_keystore(stocked.database, secret.read_text()) == 2
    await seal("wrapped anew")
    assert await count_keystore(stocked.database, secret.read_text()) == (2, 0)
    key_files.retire_secrets(secret)
    assert SECRET not in secret.read_text()
    await seal("retired")
    assert await rewrap_keystore(stocked.database, secret.read_text()) == 0
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        await rewrap_keystore(stocked.database, "another-secret-of-thirty-two-characters")
    assert await stocked.rows("select 1 from seal_use where outcome <> 'sealed'") == []
