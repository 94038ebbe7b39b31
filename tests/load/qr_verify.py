"""Offline QR codes verified per second of one core: text in, statement and proof of the log, or refusal, out.

Each carries the proof of a log of 16 million leaves, with its witness's cosignature.
Beside it stands the ceiling: bare ES256 verifications of as many bytes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from chassis.auth import DocumentSigner, new_signing_key, public_keys, read_jwks
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.compact import compact
from chassis.tlog.held import HeldLog
from chassis.tlog.keys import new_log_key, read_signer
from chassis.tlog.note import COSIGNATURE, ED25519, Signer
from chassis.tlog.proof import LogProof
from chassis.tlog.tree import inclusion_ranges, leaf_hash, root_from_inclusion
from services.certs.app import read_catalogue
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData, make
from services.certs.domain.log import leaf_bytes, licence_leaf
from services.certs.domain.presentation import (
    OFFLINE_KIND,
    LogEvidence,
    check_statement,
    offline_parts_of,
    qr_text_of,
    read_statement,
    state,
)
from services.certs.domain.status import LicenceStatus
from services.certs.rpc.summary_signer import read_signed
from services.certs.usecases.offline_log import LogStanding, check_log
from tests.load.measured import Measured, percentiles
from tests.load.servers import ROOT

QR_VERIFY = ("qr_verify",)
CODES = 500
"""Different codes, so that nothing is answered from a cache."""
TREE_SIZE = 2**24
_SPAN_SECONDS = 10.0
_CITIZEN = "11010519491231002X"
_TYPE, _ISSUER = "11100000MB0143028R901", "11361103TB1000011X"
Note = Callable[[str], None]


async def qr_verify(_names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured]:
    """Measure how many offline QR codes one thread verifies: text in, statement or refusal out."""
    note("offline statements")
    yield await asyncio.to_thread(_measure, min(seconds, _SPAN_SECONDS))


def _measure(seconds: float) -> Measured:
    now = datetime.now(UTC)
    key = new_signing_key()
    log, witness = _log_signer(), _log_signer(COSIGNATURE)
    held = HeldLog((log.verifier, witness.verifier))
    texts = _texts(DocumentSigner(key), log, witness, now)
    published = read_jwks(_json(key))

    def check(number: int) -> None:
        jws, evidence = offline_parts_of(texts[number % CODES])
        statement = check_statement(read_statement(read_signed(jws, published, OFFLINE_KIND)), now)
        assert check_log(statement, evidence, held).standing is LogStanding.VERIFIED

    spans, cpu = _repeat(check, seconds)
    bare, bare_cpu = _bare(min(seconds, 3.0), len(texts[0]))
    return Measured(
        "qr_verify",
        round(len(spans) / cpu, 1),
        "QR codes/s of one core",
        **percentiles(spans),
        limit_name="bare ES256 verifications",
        limit_value=round(bare / bare_cpu, 1),
        rows=len(spans),
        detail={"rows": "codes verified", "different_codes": CODES, "text_bytes": len(texts[0])},
    )


def _repeat(work: Callable[[int], None], seconds: float) -> tuple[list[float], float]:
    spans: list[float] = []
    began, cpu = time.perf_counter(), time.thread_time()
    while time.perf_counter() - began < seconds:
        at = time.perf_counter()
        work(len(spans))
        spans.append(time.perf_counter() - at)
    return spans, time.thread_time() - cpu


def _bare(seconds: float, size: int) -> tuple[int, float]:
    key = ec.generate_private_key(ec.SECP256R1())
    message, algorithm = bytes(size), ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(message, algorithm), key.public_key()
    spans, cpu = _repeat(lambda _: public.verify(signature, message, algorithm), seconds)
    return len(spans), cpu


def _texts(signer: DocumentSigner, log: Signer, witness: Signer, now: datetime) -> list[str]:
    types, _ = read_catalogue(Path(ROOT) / "catalogue")
    approved = IssueData(
        case_id="load",
        part_id="load",
        item_code="load",
        type_code=_TYPE,
        county_code="361103",
        issuer_code=_ISSUER,
        issuer_name="上饶市广丰区市场监督管理局",
        holder=Holder("111", _CITIZEN, "丰小玉"),
        face={},
        validity_years=5,
        decided_at=now,
    )
    made = []
    for number in range(CODES):
        licence = make(f"0195d0f2-0000-7000-8000-{number:012d}", approved, types[_TYPE], number + 1)
        valid = replace(licence, status=LicenceStatus.VALID)
        evidence = _evidence(leaf_bytes(licence_leaf(valid, "make", now)), number, log, witness)
        statement = state(valid, f"{number:012d}", timedelta(hours=24), evidence, now)
        made.append(qr_text_of(signer.sign_document(statement.claims(), kind=OFFLINE_KIND), evidence))
    return made


def _evidence(leaf: bytes, index: int, log: Signer, witness: Signer) -> LogEvidence:
    """Return the proof of a leaf in a log of `TREE_SIZE`, of which only what is beside its way is invented."""
    hashes = tuple(leaf_hash(f"{each}".encode()) for each in inclusion_ranges(index, TREE_SIZE))
    root = root_from_inclusion(index, TREE_SIZE, leaf_hash(leaf), hashes)
    assert root is not None
    text = Checkpoint(log.name, TREE_SIZE, root).text
    proof = LogProof(index, hashes, log.sign(text) + witness.line(text))
    return LogEvidence(leaf, bytes(compact(proof)))


def _log_signer(kind: int = ED25519) -> Signer:
    return read_signer(new_log_key().encode(), f"tongban.bench/{kind}", kind)


def _json(key: ECKey) -> str:
    return json.dumps(public_keys([key]).as_dict(private=False))
