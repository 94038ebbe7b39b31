"""The seals ready for use: prepared on the first use, kept while the process lives."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from services.seal.domain.certificates import read_certificate
from services.seal.domain.register import SEAL_NOT_FOUND
from services.seal.domain.sealing import SealInUse, prepare_seal
from services.seal.domain.suite import Suite
from services.seal.usecases.companions import Companions
from services.seal.usecases.ledger_time import Timekeeping
from services.seal.usecases.ports import SealMaterial, Seals, Signer
from services.seal.usecases.signing import KeptKey

_KEPT = 256


class Cabinet:
    """Prepares seals for use; a seal's bytes and key never change, its state is asked anew each time.

    It holds no private key: what it keeps signs through the signer.
    """

    def __init__(
        self,
        suite: Suite,
        signer: Signer,
        timekeeping: Timekeeping,
        companions: Companions | None = None,
    ) -> None:
        self.suite = suite
        self.timekeeping = timekeeping
        self.companions = companions
        self._signer = signer
        self._opened: OrderedDict[str, SealInUse] = OrderedDict()

    async def take(self, seals: Seals, seal_id: str) -> SealInUse:
        """Return a seal ready for sealing. Raises SEAL_NOT_USABLE, SEAL_NOT_FOUND."""
        found = self._opened.get(seal_id)
        if found is not None:
            self._opened.move_to_end(seal_id)
            return found
        material = await seals.material(seal_id)
        if material is None:
            raise SEAL_NOT_FOUND()
        opened = prepare_seal(self.suite, material.ses_seal, material.certificate, self._key(material))
        self._opened[seal_id] = opened
        if len(self._opened) > _KEPT:
            self._opened.popitem(last=False)
        return opened

    def forget(self, seal_id: str) -> None:
        """Have a seal read anew at its next use."""
        self._opened.pop(seal_id, None)

    def _key(self, material: SealMaterial) -> KeptKey:
        public_key = read_certificate(material.certificate).public_key
        key = self._signer.open(self.suite.name, material.key_id, material.wrapped_key, public_key)
        return KeptKey(material.key_id, key, partial(self.forget, material.seal_id))
