"""The signer: the one place where private keys of seals are opened, a process of its own without network or database.

A key comes encrypted with each call and is bound to its id. Two vaults open it: one of software, whose secret only
this process has, and one of a PKCS#11 token, in which ECDSA keys stay for ever and a key-encryption key guards the
SM2 keys that the token cannot use itself. An SM2 key is in this process's memory while it signs and for some seconds
after (`OpenKeys`): that is stated, not hidden. Who holds the maker's keys is never here.
"""

from __future__ import annotations

from services.seal.signer.inprocess import LocalSigner
from services.seal.signer.proving import prove_vault
from services.seal.signer.servicer import SignerServicer, add_signer_service
from services.seal.signer.vault import SoftwareVault, Vault

__all__ = ["LocalSigner", "SignerServicer", "SoftwareVault", "Vault", "add_signer_service", "prove_vault"]
