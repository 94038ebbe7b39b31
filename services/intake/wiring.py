"""Puts identity and the HTTP door together; part of the composition root."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from chassis.auth import PublishedKeys, SigningKeyFile, TokenSigner, TokenVerifier
from chassis.egress import Egress, EgressPolicy, Inside
from chassis.requests import EncryptedAnswers
from chassis.scanner import open_scanner
from chassis.service import TOKEN_ISSUER, Runtime
from services.intake.api.doors import Doors, OpenCases
from services.intake.catalogue_files.terminals import load_terminals
from services.intake.clients.documents import SealDocuments
from services.intake.clients.entrustments import CertsEntrustments
from services.intake.clients.files import FileInspector
from services.intake.clients.holdings import CertsHoldings
from services.intake.clients.messages import NotifyMessages
from services.intake.clients.openid import OpenIdPlatform, RelyingParty
from services.intake.clients.registry import CertsRegistry
from services.intake.clients.wallet import CertsWallet
from services.intake.domain.catalogue.model import Catalogue
from services.intake.settings import IntakeSettings, networks_of
from services.intake.store.identity import CountedAllowances, HashedCodes, IdentityWorks, TerminalKeys
from services.intake.store.identity.attempts import EncryptedAttempts
from services.intake.usecases.cases.ports import Files, Licences, SignDocument
from services.intake.usecases.identity.platform_log_in import PlatformLogIn
from services.intake.usecases.identity.ports import CodeBudgets, LogIn

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
    def key(self) -> SigningKeyFile:
        """Signs bearer tokens and receipts."""
        ...


def make_doors(runtime: Runtime, case: CaseTools, own: IntakeSettings) -> Doors:
    """Return everything behind the routes. Raises CATALOGUE_INVALID for a wrong terminals.yaml."""
    settings, cipher = runtime.settings, runtime.cipher
    terminals = load_terminals(settings.catalogue_dir)
    messages = NotifyMessages(runtime.peer("notify"))
    certs = runtime.peer("certs")
    limits = CountedAllowances(runtime.database, cipher)
    identities = IdentityWorks(runtime.database, cipher)
    # Receipts outlive the key that signed them, so the verifier of receipts knows all that were published.
    keys = PublishedKeys(settings.token_keys, case.key)
    log_in = LogIn(
        now=runtime.clock,
        open_work=identities,
        codes=HashedCodes(cipher),
        sender=messages,
        terminals=TerminalKeys(own.terminal_keys or settings.data_dir / TERMINAL_KEYS, terminals),
        tokens=TokenSigner(case.key, TOKEN_ISSUER, now=runtime.clock),
        limits=limits,
        code_budgets=CodeBudgets(own.codes_per_terminal_hour, own.codes_per_network_hour, own.codes_per_hour),
    )
    inspector = FileInspector(open_scanner(own.scanner_address))
    inspector.start()
    return Doors(
        cases=case.works,
        catalogue=case.catalogue,
        terminals=terminals,
        licences=case.licences,
        files=case.files,
        sign=case.sign,
        log_in=log_in,
        registry=CertsRegistry(certs),
        verifier=TokenVerifier(keys, TOKEN_ISSUER, now=runtime.clock),
        limits=limits,
        answers=case.answers,
        wallet=CertsWallet(certs),
        holdings=CertsHoldings(certs),
        open_entrustments=identities,
        entrustments=CertsEntrustments(certs),
        seals=SealDocuments(runtime.peer("seal")),
        inbox=messages,
        inspector=inspector,
        receipt_keys=keys,
        platform=make_platform(runtime, own),
    )


def make_platform(runtime: Runtime, own: IntakeSettings) -> PlatformLogIn | None:
    """Return the log-in through the identity platform of the settings, if there is one."""
    if not own.oidc_issuer:
        return None
    party = RelyingParty(
        issuer=own.oidc_issuer,
        client_id=own.oidc_client_id or "",
        client_secret=own.oidc_client_secret or SecretStr(""),
        redirect_uri=own.oidc_redirect_uri or "",
        acr_levels=own.acr_levels(),
        id_number_claim=own.oidc_id_number_claim,
    )
    issuer, networks = urlsplit(party.issuer), networks_of(own.oidc_networks)
    host, port = issuer.hostname or "", issuer.port or 443
    policy = EgressPolicy(
        ports=frozenset({port}),
        inside=(Inside(host, port, networks),) if networks else (),
        hosts=frozenset({host}),
    )
    authority = str(own.oidc_authority) if own.oidc_authority else None
    egress = Egress(policy, trust=ssl.create_default_context(cafile=authority))
    platform = OpenIdPlatform(party, egress, runtime.clock)
    return PlatformLogIn(platform, EncryptedAttempts(runtime.cipher))
