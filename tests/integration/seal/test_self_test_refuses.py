"""Cryptography that does not give the published answers is not served: the real processes, one thing in them broken."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.seal.process_room import ROOT, Stack, prepared, signer, stack
from tests.integration.seal.signer_room import SignerProcess, signer_process

__all__ = ["prepared", "signer", "stack"]
START = (
    "import runpy, sys; sys.argv = ['services.seal', '{word}'];"
    " runpy.run_module('services.seal', run_name='__main__', alter_sys=True)"
)
BROKEN = {
    "SM3": "from services.seal.providers.sm2 import Sm2Suite as S; S.digest = lambda self, data: bytes(32); ",
    "other message": "from services.seal.providers.sm2 import Sm2Suite as S; S.verify = lambda *a, **k: True; ",
    "ECDSA known signature": (
        "from services.seal.providers.ecdsa import EcdsaSuite as S; S.verify = lambda *a, **k: False; "
    ),
    "software vault, SM2-SM3: bound to its id": (
        "from services.seal.keystore import SoftwareKeystore as K; o, w = K.opened, K.wrap;"
        " K.wrap = lambda self, key_id, key: w(self, 'k', key);"
        " K.opened = lambda self, key_id, kept: o(self, 'k', kept); "
    ),
}


def run(breaking: str, word: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", breaking + START.format(word=word)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("step", BROKEN)
def test_the_signer_refuses_to_serve(step: str) -> None:
    with signer_process() as running:
        running.stop()
        running.socket.unlink(missing_ok=True)
        done = run(BROKEN[step], "signer", running.environment)
        assert done.returncode == 1
        assert "SEAL_CRYPTOGRAPHY_UNSOUND" in done.stdout + done.stderr
        assert step in done.stdout + done.stderr
        assert not running.socket.exists()
        assert not (running.home / "ready").exists()


async def test_the_service_and_the_maker_refuse_too(prepared: Stack, signer: SignerProcess) -> None:
    del signer
    for word, side in (("serve", "signing"), ("make-seals", "maker"), ("verify-ledger", "signing")):
        done = run(BROKEN["other message"], word, prepared.environment(side))
        assert done.returncode == 1, word
        assert "SEAL_CRYPTOGRAPHY_UNSOUND" in done.stdout + done.stderr
    assert not (prepared.home / "ready").exists()
