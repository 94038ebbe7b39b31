"""The signer's keystore secret rotates while seal seals; the maker's lists and seals are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.errors import Fault
from cli.keeping import key_files
from services.seal.app.rewrapping import count_keystore, rewrap_keystore
from services.seal.consumers import handlers
from services.seal.keystore import SoftwareKeystore
from services.seal.signer import LocalSigner, SoftwareVault
from services.seal.signer.open_keys import OpenKeys
from services.seal.usecases.cabinet import Cabinet
from tests.integration.seal.conftest import SECRET, SealWorld, stocked, world
from tests.unit.seal.sealing_room import sm2, suites

__all__ = ["stocked", "world"]
pytestmark = [pytest.mark.promise("P17")]


def signer(keystore: SoftwareKeystore) -> LocalSigner:
    return LocalSigner(SoftwareVault(suites(), keystore, OpenKeys(kept_seconds=0)))


async def test_the_keystores_secret_rotates_without_a_sealing_refused(
    stocked: SealWorld, tmp_path: Path
) -> None:
    secret = tmp_path / "tongban_sealsigner_keystore_key"
    secret.write_text(SECRET)
    ours = signer(SoftwareKeystore(SECRET, purpose="seal", ask=secret.read_text))
    cabinet = Cabinet(sm2(), ours, stocked.timekeeping)
    stocked.handler = handlers(stocked.unit, stocked.unit.work, cabinet, stocked.documents)[0]

    async def seal(licence_id: str) -> None:
        await stocked.deliver(licence_id)
        assert await stocked.sealed(licence_id)

    await seal("before")
    key_files.rotate_secret(secret)
    await seal("added")
    assert await count_keystore(stocked.database, ours) == (0, 4)
    assert await rewrap_keystore(stocked.database, ours) == 4
    await seal("wrapped anew")
    assert await count_keystore(stocked.database, ours) == (4, 0)
    key_files.retire_secrets(secret)
    assert SECRET not in secret.read_text()
    ours._vault._keystore._asked_anew()
    with pytest.raises(Fault, match="KEY_REWRAPPED"):  # the seal was kept ready with its key as it was
        await stocked.deliver("retired")
    await seal("retired")
    assert await rewrap_keystore(stocked.database, ours) == 0
    stranger = signer(SoftwareKeystore("another-secret-of-thirty-two-characters", purpose="seal"))
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        await rewrap_keystore(stocked.database, stranger)
    assert await stocked.rows("select 1 from seal_use where outcome <> 'sealed'") == []
