"""Receipts: a compact JWS under intake's key, and the copy of its content that lies beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet

from chassis.auth import read_jwks, verify_document
from chassis.errors import Fault
from cli.verification.report import Check, Judged, Report, judged

TRUST_KEYS = "intake_keys.json"
"""The public keys of intake in a trust directory, RFC 7517."""
RECEIPT_KIND = "receipt"


def read_keys(trust: Path) -> KeySet | None:
    """Return intake's public keys, None where the trust directory has none that can be read."""
    try:
        return read_jwks(trust / TRUST_KEYS)
    except (OSError, ValueError):
        return None


def verify_receipt(content: bytes, trust: Path) -> Report:
    """Judge ``{"receipt": <JWS>, "document": {…}}`` or the bare JWS."""
    text = content.decode("utf-8", "replace").strip()
    copy: Any = None
    if text.startswith("{"):
        found = json.loads(text)
        text, copy = str(found.get("receipt", "")), found.get("document")
    checked = judge_signed(text, RECEIPT_KIND, read_keys(trust), copy)
    return Report("receipt", checked.verdict, (checked,))


def judge_signed(signed: str, kind: str, keys: KeySet | None, copy: Any = None, of: str = "") -> Judged:
    """Judge a compact JWS of a kind; with ``copy`` its content must be exactly that."""
    name = of or kind
    if keys is None:
        return judged(name, "intake", [Check("keys", "indeterminate", f"no {TRUST_KEYS}", "KEYS_MISSING")])
    try:
        document = verify_document(signed, keys, kind=kind)
    except Fault as fault:
        return judged(name, "intake", [Check("signature", "invalid", f"{fault.zh} | {fault.en}", fault.code)])
    checks = [Check("signature", "valid", "ES256")]
    if copy is not None:
        same = copy == document
        checks.append(
            Check("content", "valid")
            if same
            else Check(
                "content", "invalid", "与签名内容不一致 | differs from what was signed", "CONTENT_DIFFERS"
            )
        )
    return judged(name, "intake", checks)
