"""PDF signatures that are not ours: made by pyHanko's own signer, by RSA, and document timestamps."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import keys, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.seal.domain.timestamps import make_token
from services.seal.domain.verification import CheckName, Verdict
from services.seal.pdf import Level, examine, verify_pdf
from tests.unit.seal.pdf.pdf_room import (
    NOW,
    OTHER,
    companion,
    evidence,
    judge,
    p256,
    pki,
    plain_pdf,
    sealed,
    time_authority,
)

_SIGNS = pyca.KeyUsage(
    digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False, key_agreement=False,
    key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_OF_A_SEAL = {"certlist", "seal_signature", "seal_validity", "maker_chain", "seal_status"}


async def foreign(signer: signers.SimpleSigner, document: bytes | None = None, **given: Any) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(document or plain_pdf()))
    told = signers.PdfSignatureMetadata(field_name="Foreign", md_algorithm="sha256", **given)
    target = await signers.PdfSigner(told, signer).async_sign_pdf(writer)
    return bytes(target.getvalue())


def by_p256() -> signers.SimpleSigner:
    one = pki().signers[OTHER]
    store = SimpleCertificateStore.from_certs([x509.Certificate.load(pki().signer_ca.certificate)])
    key = keys.PrivateKeyInfo.load(one.private_key)
    return signers.SimpleSigner(x509.Certificate.load(one.certificate), key, store)


def by_rsa() -> signers.SimpleSigner:
    key = rsa.generate_private_key(65537, 2048)
    name = pyca.Name([pyca.NameAttribute(pyca.NameOID.COMMON_NAME, "某公司")])
    made = (
        pyca.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(NOW - timedelta(days=9)).not_valid_after(NOW + timedelta(days=9))
        .add_extension(_SIGNS, critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    certificate = x509.Certificate.load(made.public_bytes(Encoding.DER))
    return signers.SimpleSigner(certificate, keys.PrivateKeyInfo.load(private), SimpleCertificateStore())


@pytest.mark.parametrize("form", [SigSeedSubFilter.PADES, SigSeedSubFilter.ADOBE_PKCS7_DETACHED])
async def test_a_signature_by_pyhanko_is_judged_without_a_seal(form: SigSeedSubFilter) -> None:
    document = await foreign(by_p256(), subfilter=form)
    outcome = judge(document, evidence(now=datetime.now(UTC)))
    assert outcome.failed() == {}
    absent = {name for name, (result, _) in outcome.checks.items() if result == "not_applicable"}
    assert absent == {*_OF_A_SEAL, "timestamp"}
    for name in ("references", "digests", "signature", "signer_chain", "coverage"):
        assert outcome.checks[name] == ("valid", "HOLDS")


async def test_a_foreign_signature_after_a_seal_leaves_it_valid() -> None:
    document = await foreign(by_p256(), sealed(Level.B_T).data)
    assert judge(document, evidence(now=datetime.now(UTC))).failed() == {}


async def test_an_algorithm_that_is_not_built_in_stays_open() -> None:
    outcome = judge(await foreign(by_rsa()), evidence(now=datetime.now(UTC)))
    assert outcome.failed() == {}
    assert outcome.unsettled()["signature"] == "SUITE"
    assert outcome.unsettled()["signer_chain"] == "CERTIFICATE_SUITE"
    assert outcome.verdict == "INDETERMINATE"


def timestamped(document: bytes, *, of: bytes | None = None) -> bytes:
    """Return the document with a document timestamp, over another value where `of` is given."""
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    steps: Any = PdfCMSEmbedder().write_cms("Timestamp", writer)
    next(steps)
    steps.send(SigObjSetup(sig_placeholder=DocumentTimestamp(bytes_reserved=8192)))
    prepared, output = steps.send(SigIOSetup(md_algorithm="sha256", output=io.BytesIO()))
    key = p256().open_key(time_authority().private_key)
    imprint = of or prepared.document_digest
    steps.send(make_token(p256(), key, time_authority().certificate, imprint, 2, NOW, "1.2.3.4"))
    return bytes(output.getvalue())


def test_a_document_timestamp_after_a_seal_is_judged_as_such() -> None:
    document = timestamped(sealed(Level.B_LT).data)
    report = verify_pdf(document, evidence(), companion, examine)
    assert report.verdict is Verdict.VALID
    assert [each.proved_at for each in report.signatures] == [NOW, NOW]
    assert report.signatures[1].check(CheckName.CERTLIST).result.value == "not_applicable"


def test_a_document_timestamp_of_another_document_is_found() -> None:
    document = timestamped(sealed(Level.B_LT).data, of=bytes(32))
    assert judge(document).failed() == {}
    assert judge(document, index=1).failed() == {"timestamp": "TIMESTAMP"}
    assert judge(document).verdict == "INVALID"


def test_a_document_with_nothing_but_a_timestamp_is_unsigned() -> None:
    assert verify_pdf(timestamped(plain_pdf()), evidence(), companion, examine).verdict is Verdict.UNSIGNED
