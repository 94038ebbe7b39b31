"""Judging one signature of a PDF: the thirteen checks, its findings in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.seal.domain.companion_list import ListedCompanion
from services.seal.domain.der import DerError
from services.seal.domain.structures import Seal, StructureError, read_seal
from services.seal.domain.suite import Suite
from services.seal.domain.verification import (
    CheckName,
    Evidence,
    SealState,
    SignatureReport,
)
from services.seal.domain.verification import causes as known
from services.seal.domain.verification.present import InForce, Standing, judge_now
from services.seal.domain.verification.report import Findings, fold
from services.seal.domain.verification.signature_steps import certificate_of, check_seal
from services.seal.domain.verification.trust_steps import check_maker, report_token
from services.seal.pdf import causes
from services.seal.pdf.cms import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    Message,
    SealReference,
    names_certificate,
    read_message,
    seal_reference,
    unpadded,
)
from services.seal.pdf.facts import PdfFacts, SignatureFacts
from services.seal.pdf.protection import cover, places_of
from services.seal.pdf.trust import Carried, Claim, carried, check_trust, judge

TIMESTAMP_KIND = "/DocTimeStamp"
_PADES, _DETACHED, _TOKEN = "/ETSI.CAdES.detached", "/adbe.pkcs7.detached", "/ETSI.RFC3161"
_HEX = frozenset(b"0123456789abcdefABCDEF")
_OF_A_SEAL = (
    CheckName.CERTLIST, CheckName.SEAL_SIGNATURE, CheckName.SEAL_VALIDITY, CheckName.MAKER_CHAIN,
    CheckName.SEAL_STATUS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Companion:
    """What the register keeps of a seal for PDF: the certificates it signs PDFs with, and the GB/T 38540 seal.

    Where `seal` is given, its own signature, validity, maker and state are checked as in an OFD.
    """

    certificates: tuple[bytes, ...]
    seal: bytes | None = None

    def holds(self, certificate: bytes) -> bool:
        """Return whether a DER certificate is one of the seal's."""
        return certificate in self.certificates


CompanionLookup = Callable[[str], Companion | ListedCompanion | None]
"""What is known of a seal for PDF, by its id: from the register, or from the signed list."""


class Judge:
    """Judges one signature; the findings collect in the order of the checks."""

    def __init__(
        self,
        document: bytes,
        facts: PdfFacts,
        one: SignatureFacts,
        evidence: Evidence,
        companions: CompanionLookup | None,
        container: Findings,
    ) -> None:
        self.document, self.facts, self.one, self.evidence = document, facts, one, evidence
        self.companions = companions
        carried_over = list(container.found[CheckName.CONTAINER])
        self.findings = Findings({CheckName.CONTAINER: carried_over}, clauses=causes.CLAUSES)
        self.described: dict[str, object] = {
            "coverage": cover(document, facts, one),
            "stamps": places_of(one),
        }
        self.seal: Seal | None = None
        self.in_force: InForce | None = None
        self.by_list = False

    def report(self) -> SignatureReport:
        """Run the checks and return what was found."""
        covered = self._references()
        self._coverage()
        if self.one.kind == TIMESTAMP_KIND or self.one.sub_filter == _TOKEN:
            self._document_timestamp(covered)
        else:
            self._signature(covered)
        checks = self.findings.checks()
        return SignatureReport(
            signature_id=self.one.field_name,
            path=self.one.field_name,
            verdict=fold([check.result for check in checks]),
            checks=checks,
            notes=tuple(self.findings.notes),
            **self.described,  # type: ignore[arg-type]
        )

    def _references(self) -> bytes | None:
        """Check that the byte range is the whole revision but for the Contents string; return what it covers."""
        name, one = CheckName.REFERENCES, self.one
        fault = one.problem or range_fault(self.document, one)
        if fault:
            self.findings.invalid(name, causes.REFERENCE, fault)
            return None
        if not one.whole_revision:
            self.findings.invalid(name, causes.REFERENCE, "not the end of its revision")
        self.findings.passed(name)
        _, first, second, length = one.byte_range
        return self.document[:first] + self.document[second : second + length]

    def _coverage(self) -> None:
        name, one = CheckName.COVERAGE, self.one
        if one.change:
            self.findings.invalid(name, causes.COVERAGE, one.change)
        elif one.whole_file:
            self.findings.passed(name)
        elif one.whole_revision:
            self.findings.note("其后仅有签章或验证数据", "Only signatures or validation data came after it")
            self.findings.passed(name)

    def _signature(self, covered: bytes | None) -> None:
        one, findings = self.one, self.findings
        if one.sub_filter not in {_PADES, _DETACHED}:
            findings.unsettled(CheckName.SIGNATURE, causes.NOT_A_SEAL, one.sub_filter[:60])
            return
        try:
            message = read_message(one.contents)
            reference = seal_reference(message)
        except DerError as error:
            findings.invalid(CheckName.SIGNATURE, causes.FORMAT, error)
            return
        suite = self._crypto(message, covered)
        own = self._seal(message, reference)
        brought = carried((*message.certificates, *self.facts.certificates), self.facts.crls)
        recorded = None
        if own and self.evidence.recorded_at is not None and suite is not None:
            recorded = self.evidence.recorded_at(suite.digest(message.signature))
        claim = Claim(
            message.signer, message.signature, message.token, one.stated_at, recorded,
            vouched=own and self.evidence.recorded_at is None and not self.by_list,
        )  # fmt: skip
        proved = check_trust(claim, brought, self.evidence, findings)
        self.described |= {
            "is_own": own, "stated_at": one.stated_at, "proved_at": proved,
            "signer": message.signer.subject_text if message.signer else None,
            "seal_id": reference.seal_id if reference else None,
            "seal_name": reference.seal_name if reference else None,
            "signature_digest": suite.digest(message.signature) if suite else None,
            "generation": self.seal.generation if self.seal else None,
            "now_checks": judge_now(
                Standing(reference.seal_id if reference else None, self.in_force, message.signer,
                         brought.certificates, brought.crls),
                self.evidence,
            ),
        }  # fmt: skip

    def _crypto(self, message: Message, covered: bytes | None) -> Suite | None:
        """T3, D2, T5 and B1: algorithm fits key, digest of the range, signature over the attributes, who signed."""
        findings, suites = self.findings, self.evidence.suites
        suite = suites.by_signature(message.algorithm)
        if suite is None:
            findings.unsettled(CheckName.SIGNATURE, causes.SUITE, message.algorithm)
        elif suite.digest_oid != message.digest_oid:
            findings.invalid(CheckName.SIGNATURE, causes.ALGORITHM_MISMATCH, message.digest_oid)
        elif message.signer is None:
            findings.invalid(CheckName.SIGNATURE, causes.FORMAT, "certificate")
        elif message.signer.curve_oid != suite.curve_oid:
            findings.invalid(CheckName.SIGNATURE, causes.ALGORITHM_MISMATCH, message.signer.curve_oid)
        elif not suite.verify(message.signer.public_key, message.signature, message.attributes_set):
            findings.invalid(CheckName.SIGNATURE, causes.SIGNATURE)
        if suite is not None:
            self._attributes(message, suite)
        findings.passed(CheckName.SIGNATURE)
        by = suites.by_digest(message.digest_oid)
        stated = message.attributes.get(MESSAGE_DIGEST)
        if by is None:
            findings.unsettled(CheckName.DIGESTS, causes.OTHER_DIGEST, message.digest_oid)
        elif covered is not None:
            if stated is None or stated.body != by.digest(covered):
                findings.invalid(CheckName.DIGESTS, causes.DIGEST)
            findings.passed(CheckName.DIGESTS)
        return suite

    def _attributes(self, message: Message, suite: Suite) -> None:
        """Check that the signed attributes name the signer's certificate; PAdES asks for it, older forms do not."""
        named = names_certificate(message, suite)
        if named is False or (named is None and self.one.sub_filter == _PADES):
            self.findings.invalid(CheckName.SIGNATURE, causes.SIGNER_NAMED)
        if CONTENT_TYPE not in message.attributes:
            self.findings.invalid(CheckName.SIGNATURE, causes.FORMAT, "contentType")

    def _seal(self, message: Message, reference: SealReference | None) -> bool:
        """B, S: what the register knows of the seal named; return whether the signature is that seal's."""
        findings = self.findings
        if reference is None:
            for name in _OF_A_SEAL:
                findings.not_applicable(name, causes.NOT_A_SEAL)
            return False
        companion = self.companions(reference.seal_id) if self.companions else None
        if companion is None:
            for name in (CheckName.SEAL_SIGNATURE, CheckName.SEAL_VALIDITY, CheckName.MAKER_CHAIN):
                findings.not_applicable(name, causes.COMPANION_UNKNOWN)
            findings.unsettled(CheckName.CERTLIST, causes.COMPANION_UNKNOWN)
            self._state(reference.seal_id)
            return False
        own = message.signer is not None and companion.holds(message.signer.raw)
        if own:
            findings.passed(CheckName.CERTLIST)
        else:
            findings.invalid(CheckName.CERTLIST, causes.SIGNER_NOT_IN_SEAL)
        if isinstance(companion, ListedCompanion):
            self._listed(companion, reference.seal_id)
        else:
            self._registered(companion, reference.seal_id)
        return own

    def _listed(self, companion: ListedCompanion, seal_id: str) -> None:
        """S2 and S5 by the signed lists; they do not hold the seal, so there is no maker's signature to check."""
        findings, name, at = self.findings, CheckName.SEAL_VALIDITY, self.one.stated_at
        self.in_force, self.by_list = companion, True
        for each in (CheckName.SEAL_SIGNATURE, CheckName.MAKER_CHAIN):
            findings.not_applicable(each, causes.COMPANION_LISTED)
        if at is None:
            findings.unsettled(name, known.NO_STATED_TIME)
        elif not companion.valid_from <= at <= companion.valid_until:
            span = f"{companion.valid_from:%Y-%m-%d} – {companion.valid_until:%Y-%m-%d}"
            findings.invalid(name, known.SEAL_VALIDITY, span)
        else:
            findings.passed(name)
        self._state(seal_id)

    def _registered(self, companion: Companion, seal_id: str) -> None:
        findings, at = self.findings, self.one.stated_at
        if companion.seal is None:
            for name in (CheckName.SEAL_SIGNATURE, CheckName.SEAL_VALIDITY, CheckName.MAKER_CHAIN):
                findings.not_applicable(name, causes.COMPANION_UNKNOWN)
            self._state(seal_id)
            return
        seal = _parsed(companion.seal)
        if seal is None or seal.seal_id != seal_id:
            findings.invalid(CheckName.SEAL_SIGNATURE, causes.FORMAT, "seal")
            return
        self.seal = self.in_force = seal
        maker = certificate_of(seal.maker_certificate)
        check_seal(seal, at, maker, self.evidence.suites, findings)
        check_maker(seal, maker, at, self.evidence, findings)

    def _state(self, seal_id: str) -> None:
        """S5: the register's answer for the stated time."""
        name, at, lookup = CheckName.SEAL_STATUS, self.one.stated_at, self.evidence.seal_status
        state = lookup(seal_id, at) if lookup is not None and at is not None else SealState.UNKNOWN
        if state is SealState.ACTIVE:
            self.findings.passed(name)
        elif state is SealState.UNKNOWN:
            self.findings.unsettled(name, known.SEAL_STATUS)
        else:
            self.findings.invalid(name, known.SEAL_NOT_ACTIVE, state.value)

    def _document_timestamp(self, covered: bytes | None) -> None:
        """Judge a timestamp over the whole revision (EN 319 142-1 5.4.3); it is nobody's seal."""
        findings = self.findings
        for name in (*_OF_A_SEAL, CheckName.DIGESTS, CheckName.SIGNATURE, CheckName.SIGNER_CHAIN):
            findings.not_applicable(name, causes.NOT_A_SEAL)
        findings.not_applicable(CheckName.REVOCATION, causes.NOT_A_SEAL)
        if covered is None:
            return
        try:
            token = unpadded(self.one.contents)
        except DerError as error:
            findings.invalid(CheckName.TIMESTAMP, known.TIMESTAMP, error)
            return
        brought: Carried = carried(self.facts.certificates, ())
        result = judge(token, covered, brought, self.evidence)
        report_token(result, None, self.evidence, findings)
        self.described |= {"proved_at": _trusted_time(result.trusted, result.generated_at)}


def _trusted_time(trusted: bool, moment: datetime | None) -> datetime | None:
    return moment if trusted else None


def _parsed(seal: bytes) -> Seal | None:
    try:
        return read_seal(seal)
    except StructureError:
        return None


def range_fault(document: bytes, one: SignatureFacts) -> str:
    """Return what is wrong with the byte range: all but one hex string, which is the Contents that was read."""
    numbers = one.byte_range
    if len(numbers) != 4:
        return "four numbers are due"
    start, first, second, length = numbers
    if start != 0 or first <= 0 or length <= 0 or not first < second < second + length <= len(document):
        return "out of order"
    gap = document[first:second]
    if gap[:1] != b"<" or gap[-1:] != b">" or not _HEX.issuperset(gap[1:-1]) or len(gap) % 2:
        return "the gap is more than the Contents"
    if bytes.fromhex(gap[1:-1].decode("ascii")) != one.contents:
        return "the gap is not the Contents"
    return ""
