"""One-shot jobs of a local stack after the migrations: registered terminals, seal keys, seals.

The maker of seals runs as its own process with its own secret: it never sees the signing side's. Keys are made
by the signer, which the supervisor has started by then.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

from chassis.datafiles import read_tree
from chassis.rpc.peer import Peer
from cli.local.authority import open_authority
from cli.local.faults import PREPARATION_FAILED
from cli.local.layout import SEAL_TSA, Layout
from cli.local.services import maker_settings, tsa_directories


def register_terminals(layout: Layout, catalogue: Path) -> None:
    """Have the public key of every terminal of the catalogue where intake looks for it."""
    content = read_tree(catalogue).files.get("terminals.yaml")
    values = content.get("terminals", []) if isinstance(content, dict) else []
    layout.terminal_keys.mkdir(parents=True, exist_ok=True)
    authority = open_authority(layout.certificates)
    for each in values:
        terminal_id = str(each["terminal_id"])
        identity = authority.identity(Peer("terminal", terminal_id))
        certificate = load_pem_x509_certificate(identity.certificate.read_bytes())
        pem = certificate.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (layout.terminal_keys / f"{terminal_id}.pem").write_bytes(pem)


async def make_tsa_keys(layout: Layout) -> None:
    """Have the keys of the time-stamping authority, for the maker to certify. Raises PREPARATION_FAILED."""
    said = {f"TONGBAN_{SEAL_TSA.upper()}_{key}": value for key, value in tsa_directories(layout).items()}
    await _run(layout, "make-tsa-keys", {"TONGBAN_SECRETS_DIR": str(layout.secrets(SEAL_TSA)), **said})


async def make_seals(layout: Layout, catalogue: Path) -> None:
    """Have a started seal for every department, and fresh lists. Raises PREPARATION_FAILED."""
    keys = {
        "TONGBAN_SECRETS_DIR": str(layout.secrets("seal")),
        "TONGBAN_CATALOGUE_DIR": str(catalogue),
        "TONGBAN_SEAL_FIELD_KEYS": str(layout.secrets("seal") / "field_keys.json"),
        "TONGBAN_SEAL_SIGNER_SOCKET": str(layout.signer_socket),
    }
    await _run(layout, "make-keys", keys)
    await _run(layout, "make-seals", maker_settings(layout, catalogue))


async def _run(layout: Layout, job: str, settings: Mapping[str, str]) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
    command = (sys.executable, "-m", "services.seal", job)
    with layout.log(job).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env={**inherited, **settings}, stdout=log, stderr=asyncio.subprocess.STDOUT
        )
        status = await process.wait()
    if status:
        raise PREPARATION_FAILED(detail=f"{job} ended with status {status}, see {layout.log(job)}")
