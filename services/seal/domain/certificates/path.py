"""From a certificate to an anchor: signatures, CA flag, keyCertSign, path length, names by DER, validity at T."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.seal.domain.certificates.model import Certificate
from services.seal.domain.suite import Suites, verify_once

MAX_LENGTH = 8


class PathProblem(Enum):
    """Why there is no sound path; the first three leave the question open, the others answer it."""

    NO_ANCHOR = "no trust anchor is configured"
    NO_PATH = "no chain of certificates leads to a trust anchor"
    SUITE = "a certificate is signed with an algorithm that is not built in, as RSA"
    SIGNATURE = "the issuer's key does not verify the certificate"
    NOT_A_CA = "an issuer is not a CA or may not sign certificates"
    PATH_LENGTH = "an issuer allows fewer CAs below it"
    CA_EXPIRED = "an issuer's certificate was not valid at that time"
    ALGORITHM = "a certificate's signature algorithm carries parameters, which SM2 and ECDSA have not"
    CRITICAL = "a certificate has a critical extension that is not understood"

    @property
    def open_question(self) -> bool:
        """Whether more certificates, anchors or algorithms could still answer."""
        return self in {PathProblem.NO_ANCHOR, PathProblem.NO_PATH, PathProblem.SUITE}


@dataclass(frozen=True, slots=True)
class Path:
    """Leaf first, anchor last; `problem` None means that every check passed."""

    certificates: tuple[Certificate, ...]
    problem: PathProblem | None


def build_path(
    leaf: Certificate,
    pool: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
    suites: Suites,
) -> Path:
    """Return the best path from `leaf` to an anchor, its issuers judged at the moment `at`.

    The leaf's own validity period and key usage are the caller's questions. An anchor named as leaf is its own path.
    """
    if not anchors:
        return Path((leaf,), PathProblem.NO_ANCHOR)
    trusted = frozenset(anchor.raw for anchor in anchors)
    best = Path((leaf,), PathProblem.NO_PATH if suites.by_signature(leaf.algorithm) else PathProblem.SUITE)
    for chain, unsigned in _chains((leaf,), trusted, [*anchors, *pool], suites):
        problem = unsigned or _problem(chain, at)
        if problem is None:
            return Path(chain, None)
        if best.problem is PathProblem.NO_PATH or problem is PathProblem.SUITE:
            best = Path(chain, problem)
    return best


def _chains(
    chain: tuple[Certificate, ...], trusted: frozenset[bytes], known: Sequence[Certificate], suites: Suites
) -> Iterable[tuple[tuple[Certificate, ...], PathProblem | None]]:
    """Yield every chain by names and key ids that reaches an anchor, with None: its signatures hold.

    A chain also ends, with SIGNATURE or SUITE, where the issuer that a certificate names did not sign it, or
    signed it with an algorithm that is not built in.
    """
    last = chain[-1]
    if last.raw in trusted:
        yield chain, None
        return
    if len(chain) >= MAX_LENGTH:
        return
    for issuer in known:
        if issuer in chain or issuer.subject_raw != last.issuer_raw or _other_key(last, issuer):
            continue
        if signed_by(last, issuer, suites):
            yield from _chains((*chain, issuer), trusted, known, suites)
        elif issuer.raw in trusted or _same_key(last, issuer):
            unknown = suites.by_signature(last.algorithm) is None
            yield (*chain, issuer), PathProblem.SUITE if unknown else PathProblem.SIGNATURE


def _other_key(child: Certificate, issuer: Certificate) -> bool:
    ids = (child.authority_key_id, issuer.subject_key_id)
    return None not in ids and ids[0] != ids[1]


def _same_key(child: Certificate, issuer: Certificate) -> bool:
    return issuer.subject_key_id is not None and child.authority_key_id == issuer.subject_key_id


def signed_by(child: Certificate, issuer: Certificate, suites: Suites) -> bool:
    """Return whether the issuer's key made the child's signature, algorithm and curve belonging together."""
    suite = suites.by_signature(child.algorithm)
    if suite is None or suite.curve_oid != issuer.curve_oid:
        return False
    return verify_once(suite, issuer.public_key, child.signature, child.tbs_raw)


def _problem(chain: Sequence[Certificate], at: datetime) -> PathProblem | None:
    if any(certificate.unknown_critical for certificate in chain):
        return PathProblem.CRITICAL
    if any(
        certificate.has_parameters for certificate in chain[:-1]
    ):  # the anchor stands without its signature
        return PathProblem.ALGORITHM
    for below, issuer in enumerate(chain[1:]):
        if not issuer.is_ca or not issuer.may("key_cert_sign"):
            return PathProblem.NOT_A_CA
        if issuer.path_length is not None and issuer.path_length < below:
            return PathProblem.PATH_LENGTH
        if not issuer.valid_at(at):
            return PathProblem.CA_EXPIRED
    return None
