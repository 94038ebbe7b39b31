"""A sealed document put together step by step, so that exactly one step can be done wrong. Not a test module."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from services.seal.domain import der
from services.seal.domain.pki import Credential
from services.seal.domain.structures import (
    SealFields,
    signature_tbs,
    signature_value,
    write_seal,
    write_seal_info,
)
from services.seal.domain.suite import SM2_WITH_SM3
from services.seal.domain.verification import Evidence
from tests.unit.seal.sealing_room import (
    NOW,
    evidence,
    pack,
    pki,
    seal_der,
    seal_fields,
    sealed_once,
    signer,
    sm2,
    unpack,
)

LISTING = "Doc_0/Signs/Signatures.xml"
SIGNATURE, VALUE, SEAL = (f"Doc_0/Signs/Sign_0/{n}" for n in ("Signature.xml", "SignedValue.dat", "Seal.esl"))
PAGE, FONT = "Doc_0/Pages/Page_0/Content.xml", "Doc_0/Res/hei.ttf"
Files = dict[str, bytes]
Edit = Callable[[bytes], bytes]


def same(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Case:
    """One forgery: `make(True)` is it, `make(False)` its sound twin; `check` must fail with `reason`, and nothing else but `also`."""

    name: str
    check: str
    reason: str
    make: Callable[[bool], bytes]
    known: Callable[[], Evidence] = field(default=evidence)
    result: str = "invalid"
    also: Mapping[str, str] = field(default_factory=dict)  # what else fails, as a consequence
    is_evidence: bool = False  # the document is sound, and what is known of it makes it fail

    def twin(self) -> Evidence:
        """Return what the sound twin is judged by."""
        return evidence() if self.is_evidence else self.known()


def abroad() -> Evidence:
    """What a stranger knows of us: the trust anchors, but no maker is its own."""
    return evidence(own_makers=frozenset())


def forge(
    *,
    before: Callable[[Files], Files] = dict,
    xml: Edit = same,
    seal: bytes | None = None,
    who: Credential | None = None,
    at: datetime = NOW,
    tbs: Edit = same,
    sign: Callable[[bytes], bytes] | None = None,
    oid: str = SM2_WITH_SM3,
    token: Callable[[bytes], bytes] | None = None,
    value: Edit = same,
    after: Callable[[Files], Files] = dict,
    package: Callable[[Files], bytes] = pack,
) -> bytes:
    """Seal again after `before` changed the files and `xml` Signature.xml; later steps change later bytes."""
    files = dict(unpack(sealed_once()))
    who = who or signer()
    embedded = seal or seal_der()
    files = before(files | {SEAL: embedded})
    signature_xml = xml(_redigested(files[SIGNATURE], files))
    signed = tbs(signature_tbs(embedded, at, sm2().digest(signature_xml), f"/{SIGNATURE}"))
    signature = (sign or sm2().open_key(who.private_key).sign)(signed)
    stamp = token(signature) if token else None
    whole = value(signature_value(signed, who.certificate, oid, signature, stamp))
    return package(after(files | {SIGNATURE: signature_xml, VALUE: whole}))


def wrong(**steps: object) -> Callable[[bool], bytes]:
    """Return what makes the forgery with these steps, and its twin without them."""
    return lambda bad: forge(**steps) if bad else forge()  # type: ignore[arg-type]


def either(
    bad: Callable[[], dict[str, object]], good: Callable[[], dict[str, object]]
) -> Callable[[bool], bytes]:
    """Return what makes the forgery with one set of steps and its twin with another."""
    return lambda is_bad: forge(**(bad if is_bad else good)())  # type: ignore[arg-type]


def _redigested(xml: bytes, files: Files) -> bytes:
    """Return Signature.xml with the true digest of every file it names."""

    def entry(found: re.Match[bytes]) -> bytes:
        data = files.get(found.group(2).decode().lstrip("/"))
        value = base64.b64encode(sm2().digest(data)) if data is not None else found.group(4)
        return found.group(1) + found.group(2) + found.group(3) + value

    return re.sub(rb'(FileRef=")([^"]*)("><ofd:CheckValue>)([^<]*)', entry, xml)


def swap(name: str, old: bytes, new: bytes) -> Callable[[Files], Files]:
    """Return the step that replaces bytes in one file; the bytes must be there."""

    def step(files: Files) -> Files:
        assert old in files[name], (name, old)
        return files | {name: files[name].replace(old, new, 1)}

    return step


def edited(path: Sequence[int], change: Edit) -> Edit:
    """Return the edit of one element of a DER structure, by its path; every length around it follows."""

    def step(data: bytes) -> bytes:
        if not path:
            return change(data)
        tlv = der.read(data)
        parts = [child.raw for child in der.children(tlv)]
        parts[path[0]] = edited(path[1:], change)(parts[path[0]])
        return der.write(tlv.tag, b"".join(parts))

    return step


def always(data: bytes) -> Edit:
    """Return the edit that puts `data` in the place of whatever was there."""
    return lambda _old: data


@lru_cache(maxsize=64)
def fresh_seal(info: bytes, maker: Credential | None = None, signed: bytes | None = None) -> bytes:
    """Return a seal around an eSealInfo, its maker's signature over `signed` (by default the info, as is right)."""
    maker = maker or pki().maker
    signature = sm2().open_key(maker.private_key).sign(signed if signed is not None else info)
    return write_seal(info, maker.certificate, SM2_WITH_SM3, signature)


def seal_of(fields: SealFields | None = None, maker: Credential | None = None, edit: Edit = same) -> bytes:
    """Return a freshly made and signed seal, its info edited before signing."""
    return fresh_seal(edit(write_seal_info(fields or seal_fields())), maker)
