"""The maker's keys and rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from services.seal.domain.certificates import read_certificate
from services.seal.domain.letters import letter_key_statement
from services.seal.domain.pki import CompanionPki, Credential, DevelopmentPki
from services.seal.domain.suite import SigningKey, Suite

CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Companion:
    """The second suite that seals get a credential in, and who certifies it."""

    suite: Suite
    pki: CompanionPki


@dataclass(frozen=True, slots=True)
class Letters:
    """The maker's key for letters from the signing side: 32 bytes each."""

    public_key: bytes
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Workshop:
    """The maker's keys and rules; `operator` is entered in the history as who made, filed and started a seal.

    `anchors` and `crls` are those of other certification authorities whose certificates seals are made with.
    """

    suite: Suite
    pki: DevelopmentPki
    operator: str
    seal_lifetime: timedelta
    list_lifetime: timedelta
    companion: Companion | None = None
    letters: Letters | None = None
    anchors: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()

    @property
    def maker_key(self) -> SigningKey:
        """The key that signs seals and the rows of the register."""
        return self.suite.open_key(self.pki.maker.private_key)

    @property
    def suites(self) -> tuple[Suite, ...]:
        """The suites in which a seal gets a credential, its own first."""
        return (self.suite, self.companion.suite) if self.companion else (self.suite,)

    def signer_ca(self, suite: Suite) -> Credential:
        """Return the authority that certifies keys of a suite."""
        if self.companion is not None and suite.name == self.companion.suite.name:
            return self.companion.pki.signer_ca
        return self.pki.signer_ca

    def authorities(self) -> tuple[tuple[Suite, Credential], ...]:
        """Return every authority of the maker that signs a revocation list, with its suite."""
        own = tuple((self.suite, each) for each in (self.pki.root, self.pki.maker_ca, self.pki.signer_ca))
        if self.companion is None:
            return own
        pki = self.companion.pki
        return (*own, (self.companion.suite, pki.root), (self.companion.suite, pki.signer_ca))

    def fingerprint(self, certificate: bytes) -> str:
        """Return the hex digest by which a certificate is known."""
        return self.suite.digest(certificate).hex()

    def letter_signature(self, letters: Letters) -> bytes:
        """Return the maker's word that the key for letters is its own."""
        return self.maker_key.sign(letter_key_statement(letters.public_key))

    def certified_here(self, certificate: bytes, authority: Credential) -> bool:
        """Return whether one of the maker's authorities issued a certificate."""
        issuer = read_certificate(authority.certificate)
        return read_certificate(certificate).issuer_raw == issuer.subject_raw
