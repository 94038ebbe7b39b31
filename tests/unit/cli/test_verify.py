"""`tongban verify` on files it can and cannot read; documents with seals are verified in tests/e2e."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest
from typer.testing import CliRunner

from chassis.auth import DocumentSigner, new_signing_key, write_jwks
from chassis.clock import system_clock
from cli.main import app
from cli.verification import verify_file
from cli.verification.receipts import TRUST_KEYS

CONTENT = {"case_no": "361123X202601010001A", "parts": [1, 2]}
KEY = new_signing_key()


@pytest.fixture
def trust(tmp_path):
    directory = tmp_path / "trust"
    directory.mkdir()
    write_jwks([KEY], directory / TRUST_KEYS)
    return directory


def verify(path, trust):
    done = CliRunner().invoke(app, ["verify", str(path), "--trust", str(trust), "--json"])
    return done.exit_code, json.loads(done.stdout)


def receipt(document=CONTENT, key=KEY, kind="receipt"):
    return {"receipt": DocumentSigner(key).sign_document(CONTENT, kind=kind), "document": document}


def written(path, content):
    path.write_text(json.dumps(content))
    return path


def test_a_receipt_verifies_with_its_copy_and_bare(tmp_path, trust):
    assert verify(written(tmp_path / "a.json", receipt()), trust)[0] == 0
    (tmp_path / "a.jws").write_text(receipt()["receipt"])
    status, answer = verify(tmp_path / "a.jws", trust)
    assert (status, answer["verdict"], answer["kind"]) == (0, "VALID", "receipt")
    assert answer["signatures"][0]["checks"][0]["result"] == "valid"


@pytest.mark.parametrize(
    "content",
    [
        receipt(document={**CONTENT, "case_no": "361123X202601010001B"}),
        receipt(key=new_signing_key()),
        receipt(kind="archive-manifest"),
        {"receipt": receipt()["receipt"][:-8] + "AAAAAAAA"},
        {"receipt": ""},
        {},
    ],
)
def test_a_changed_or_foreign_receipt_is_invalid(tmp_path, trust, content):
    status, answer = verify(written(tmp_path / "a.json", content), trust)
    assert (status, answer["verdict"]) == (1, "INVALID")


def test_a_receipt_without_keys_cannot_be_decided(tmp_path):
    status, answer = verify(written(tmp_path / "a.json", receipt()), tmp_path / "nothing")
    assert (status, answer["verdict"]) == (2, "INDETERMINATE")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"{", b"[" * 5_000, b"hello", b"null", b"[1]", b"{}"]
)
def test_what_is_no_known_file_is_invalid_with_a_reason(tmp_path, trust, content):
    (tmp_path / "a.bin").write_bytes(content)
    status, answer = verify(tmp_path / "a.bin", trust)
    assert (status, answer["verdict"]) == (1, "INVALID")
    assert answer["signatures"][0]["checks"][-1]["reason"]


def test_a_missing_file_is_invalid_with_a_reason(tmp_path, trust):
    status, answer = verify(tmp_path / "none.ofd", trust)
    assert (status, answer["signatures"][0]["checks"][0]["reason"]) == (1, "FILE_UNREADABLE")


FILES = {"application.json": b'{"a": 1}', "receipt.jws": receipt()["receipt"].encode(), "办.json": b"x" * 500}


def package(files=FILES, listed=None, date_time=(1980, 1, 1, 0, 0, 0)):
    manifest = {
        "case_no": "x",
        "files": [
            {
                "name": name,
                "sm3": hashlib.new("sm3", data).hexdigest(),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name, data in (listed or files).items()
        ],
    }
    signed = DocumentSigner(KEY).sign_document(manifest, kind="archive-manifest")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**files, "manifest.jws": signed.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name, date_time), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def verify_package(tmp_path, trust, content):
    (tmp_path / "archive.zip").write_bytes(content)
    return verify(tmp_path / "archive.zip", trust)


def test_an_archive_package_verifies(tmp_path, trust):
    status, answer = verify_package(tmp_path, trust, package())
    assert (status, answer["verdict"], answer["kind"]) == (0, "VALID", "archive")
    assert [each["of"] for each in answer["signatures"]] == ["manifest.jws", "receipt.jws"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (package({**FILES, "more.json": b"x"}, FILES), "ENTRY_NOT_LISTED"),
        (package({"application.json": b"x"}, FILES), "ENTRY_MISSING"),
        (package({**FILES, "application.json": b'{"a": 2}'}, FILES), "DIGEST_DIFFERS"),
        (package(date_time=(2020, 1, 1, 0, 0, 0)), "PACKAGE_UNREADABLE"),
        (package() + b"x", "PACKAGE_UNREADABLE"),
        (package({**FILES, "results/a.ofd": b"no document"}), "PACKAGE"),
    ],
)
def test_an_archive_package_that_was_touched_is_invalid(tmp_path, trust, content, reason):
    status, answer = verify_package(tmp_path, trust, content)
    assert (status, answer["verdict"]) == (1, "INVALID")
    reasons = {check["reason"] for each in answer["signatures"] for check in each["checks"]}
    assert reason in reasons


def test_a_flipped_byte_of_a_package_is_found_unless_every_entry_is_the_same(tmp_path, trust):
    """One content has several packed forms; every bit around them is fixed."""
    content = package()
    path = tmp_path / "archive.zip"
    passed = 0
    for place in range(len(content)):
        broken = bytearray(content)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        if verify_file(path, trust, system_clock()).verdict != "INVALID":
            assert entries(bytes(broken)) == entries(content), place
            passed += 1
    assert passed < 10


def entries(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
