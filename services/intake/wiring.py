"""Puts identity and the HTTP door together; part of the composition root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from joserfc.jwk import ECKey, KeySet

from chassis.auth import TokenSigner, TokenVerifier, public_keys, read_jwks
from chassis.requests import EncryptedAnswers
from chassis.service import TOKEN_ISSUER, Runtime
from services.intake.api.doors import Doors, OpenCases
from services.intake.catalogue_files.terminals import load_terminals
from services.intake.clients.documents import SealDocuments
from services.intake.clients.messages import NotifyMessages
from services.intake.clients.registry import CertsRegistry
from services.intake.clients.wallet import CertsWallet
from services.intake.domain.catalogue.model import Catalogue
from services.intake.store.identity import CountedAllowances, HashedCodes, IdentityWorks, TerminalKeys
from services.intake.usecases.cases.ports import Files, Licences, SignDocument
from services.intake.usecases.identity.ports import LogIn

TERMINAL_KEYS = "terminal_keys"
"""Folder of the data directory, where no other is set."""


class CaseTools(Protocol):
    """What the HTTP door needs of cases; `app.CaseParts` is one."""

    @property
    def works(self) -> OpenCases:
        """Opens a transaction."""
        ...

    @property
    def catalogue(self) -> Callable[[], Catalogue]:
        """Gives the catalogue as it is now."""
        ...

    @property
    def licences(self) -> Licences:
        """The registry."""
        ...

    @property
    def files(self) -> Files:
        """Uploads and archives."""
        ...

    @property
    def sign(self) -> SignDocument:
        """Signs receipts."""
        ...

    @property
    def answers(self) -> EncryptedAnswers:
        """Encrypts stored answers."""
        ...

    @property
    def key(self) -> ECKey:
        """Signs bearer tokens and receipts."""
        ...


def make_doors(runtime: Runtime, case: CaseTools, terminal_keys: Path | None) -> Doors:
    """Return everything behind the routes. Raises CATALOGUE_INVALID for a wrong terminals.yaml."""
    settings, cipher = runtime.settings, runtime.cipher
    terminals = load_terminals(settings.catalogue_dir)
    messages = NotifyMessages(runtime.peer("notify"))
    certs = runtime.peer("certs")
    limits = CountedAllowances(runtime.database, cipher)
    keys = receipt_keys(case.key, settings.token_keys)
    log_in = LogIn(
        now=runtime.clock,
        open_work=IdentityWorks(runtime.database, cipher),
        codes=HashedCodes(cipher),
        sender=messages,
        terminals=TerminalKeys(terminal_keys or settings.data_dir / TERMINAL_KEYS, terminals),
        tokens=TokenSigner(case.key, TOKEN_ISSUER, now=runtime.clock),
        limits=limits,
    )
    return Doors(
        cases=case.works,
        catalogue=case.catalogue,
        terminals=terminals,
        licences=case.licences,
        files=case.files,
        sign=case.sign,
        log_in=log_in,
        registry=CertsRegistry(certs),
        verifier=TokenVerifier(public_keys([case.key]), TOKEN_ISSUER, now=runtime.clock),
        limits=limits,
        answers=case.answers,
        wallet=CertsWallet(certs),
        seals=SealDocuments(runtime.peer("seal")),
        inbox=messages,
        receipt_keys=keys,
    )


def receipt_keys(key: ECKey, published: Path | None) -> KeySet:
    """Return the own public key and those published earlier: receipts outlive the key that signed them."""
    own = public_keys([key])
    known = {each.kid for each in own.keys}
    earlier = read_jwks(published).keys if published and published.is_file() else []
    return KeySet([*own.keys, *(each for each in earlier if each.kid not in known)])
