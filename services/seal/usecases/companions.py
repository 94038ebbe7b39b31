"""Companion credentials: what seals documents that cannot carry SM2, as PDF; kept ready like the seals themselves."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from chassis.errors import Kind, declare
from services.seal.domain.certificates import read_certificate
from services.seal.domain.placing import Placement
from services.seal.domain.sealing import SealedDocument, SealInUse
from services.seal.domain.structures import Picture
from services.seal.domain.suite import SigningKey, Suite
from services.seal.usecases.ports import SealCredential, Signer, Timestamper, Work
from services.seal.usecases.signing import KeptKey

SEAL_WITHOUT_COMPANION = declare(
    "SEAL_WITHOUT_COMPANION",
    Kind.FAILED_PRECONDITION,
    "该印章没有用于 PDF 的签名证书",
    "The seal has no credential for PDF",
)
_KEPT = 256
PagePlan = Callable[[Sequence[tuple[float, float]]], Sequence[Placement]]
"""Where the stamps go, once each page's width and height as it is shown are known, in millimetres."""


class PdfLevel(StrEnum):
    """The PAdES baseline level asked for: signature; with a timestamp; with what checks it later."""

    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"


@dataclass(frozen=True, slots=True)
class PdfOrder:
    """How a PDF is sealed; at B-LT with the certificates and revocation lists that check it later."""

    level: PdfLevel
    timestamp: Callable[[bytes], bytes]
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


class PdfPress(Protocol):
    """Seals PDFs. Call it in a thread."""

    @property
    def suite(self) -> Suite:
        """The suite of the credentials."""
        ...

    def prepare(
        self, key: SigningKey, certificate: bytes, chain: Sequence[bytes], seal: tuple[str, str, Picture]
    ) -> Any:
        """Return a credential ready for use, of the seal with this id, name and picture."""
        ...

    def seal(
        self,
        document: bytes,
        prepared: Any,
        plan: PagePlan,
        signed_at: datetime,
        order: PdfOrder,
    ) -> SealedDocument:
        """Return the sealed PDF. Raises what `plan` raises, why it is not sealed, and what signer and time stamping raise."""
        ...


class Companions:
    """Keeps companion credentials ready; a seal's never changes, the seal's state is asked anew each time."""

    def __init__(self, press: PdfPress, signer: Signer, timestamper: Timestamper) -> None:
        self._press, self._signer, self._timestamper = press, signer, timestamper
        self._opened: OrderedDict[str, Any] = OrderedDict()

    async def seal(
        self,
        work: Work,
        seal: SealInUse,
        document: bytes,
        plan: PagePlan,
        now: datetime,
        level: PdfLevel,
    ) -> SealedDocument:
        """Return the PDF under the seal, where `plan` says. Raises SEAL_WITHOUT_COMPANION, and what the press raises."""
        bundle = await work.trust.bundle(now)
        seal_id, known = seal.seal.seal_id, (*bundle.certificates, *bundle.anchors)
        prepared = self._opened.get(seal_id)
        if prepared is None:
            credential = await work.seals.credential(seal_id, self._press.suite.name)
            if credential is None:
                raise SEAL_WITHOUT_COMPANION()
            prepared = await asyncio.to_thread(self._prepare, seal, credential, known)
            self._opened[seal_id] = prepared
            if len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        kept = (known, bundle.crls) if level is PdfLevel.B_LT else ((), ())
        order = PdfOrder(level, self._timestamper.token, *kept)
        return await asyncio.to_thread(self._press.seal, document, prepared, plan, now, order)

    def _prepare(self, seal: SealInUse, credential: SealCredential, known: Sequence[bytes]) -> Any:
        public_key = read_certificate(credential.certificate).public_key
        key = self._signer.open(self._press.suite.name, credential.key_id, credential.wrapped_key, public_key)
        kept = KeptKey(credential.key_id, key, partial(self._forget, credential.seal_id))
        described = (seal.seal.seal_id, seal.seal.name, seal.seal.picture)
        return self._press.prepare(
            kept, credential.certificate, chain_of(credential.certificate, known), described
        )

    def _forget(self, seal_id: str) -> None:
        self._opened.pop(seal_id, None)


def chain_of(certificate: bytes, known: Sequence[bytes]) -> list[bytes]:
    """Return the certificates above one, nearest first, without the root."""
    by_subject = {read_certificate(each).subject_raw: each for each in known}
    chain: list[bytes] = []
    above = by_subject.get(read_certificate(certificate).issuer_raw)
    while above is not None and above not in chain:
        read = read_certificate(above)
        if read.subject_raw == read.issuer_raw:
            break
        chain.append(above)
        above = by_subject.get(read.issuer_raw)
    return chain
