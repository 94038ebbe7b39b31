"""The trust directory: everything that verifies without the network, fetched once while there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chassis.tlog.held import HeldLog, read_held
from chassis.tlog.note import Verifier
from cli.clients.department import Department
from cli.verification.receipts import TRUST_KEYS

PRESENTATION_KEYS = "presentation_keys.json"
LOG_TRUST = "log_trust.json"


async def keep_trust(
    department: Department,
    intake_keys: Mapping[str, Any],
    presentation_keys: str,
    directory: Path,
    witnesses: Sequence[Verifier] = (),
) -> None:
    """Have seal's trust bundle, intake's keys, the keys of QR codes and what is trusted of the log in the directory.

    The log's key is taken as the registry tells it over mutual TLS this once. Raises LOG_TRUST_UNREADABLE.
    """
    from services.seal.app import write_trust_bundle  # noqa: PLC0415 - loads a crypto library

    found = await department.trust_bundle()
    write_trust_bundle(
        directory,
        anchors=found.anchors_der,
        certificates=found.certificates_der,
        crls=found.crls_der,
        status_list=found.status_list,
        own_makers=found.own_makers,
        timestamp_anchors=found.timestamp_anchors_der,
        companion_list=found.companion_list,
    )
    _write(directory / TRUST_KEYS, json.dumps(dict(intake_keys), sort_keys=True))
    _write(directory / PRESENTATION_KEYS, presentation_keys)
    log_key, note, subtrees = await department.log_checkpoint()
    held = HeldLog((Verifier.parse(log_key), *witnesses), note, tuple(subtrees))
    _write(directory / LOG_TRUST, read_held(held.text).text.rstrip())


def _write(path: Path, content: str) -> None:
    path.write_text(content + "\n", encoding="utf-8")
