"""The seals ready for use: opened on the first use, kept while the process lives."""

from __future__ import annotations

from collections import OrderedDict

from services.seal.domain.register import SEAL_NOT_FOUND
from services.seal.domain.sealing import SealInUse, prepare_seal
from services.seal.domain.suite import Suite
from services.seal.usecases.ports import Keystore, Seals

_KEPT = 256


class Cabinet:
    """Opens seals with their keys; a seal's bytes and key never change, its state is asked anew each time."""

    def __init__(self, suite: Suite, keystore: Keystore) -> None:
        self.suite = suite
        self._keystore = keystore
        self._opened: OrderedDict[str, SealInUse] = OrderedDict()

    async def take(self, seals: Seals, seal_id: str) -> SealInUse:
        """Return a seal ready for sealing. Raises KEYSTORE_UNREADABLE, SEAL_NOT_USABLE, SEAL_NOT_FOUND."""
        found = self._opened.get(seal_id)
        if found is not None:
            self._opened.move_to_end(seal_id)
            return found
        material = await seals.material(seal_id)
        if material is None:
            raise SEAL_NOT_FOUND()
        key = self.suite.open_key(self._keystore.unwrap(material.key_id, material.wrapped_key))
        opened = prepare_seal(self.suite, material.ses_seal, material.certificate, key)
        self._opened[seal_id] = opened
        if len(self._opened) > _KEPT:
            self._opened.popitem(last=False)
        return opened
