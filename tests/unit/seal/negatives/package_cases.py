"""Forgeries of the container: ZIP tricks, hidden and doubled files, unsound XML, escaping locations."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zipfile
from collections.abc import Callable

from services.seal.domain.ofd import new_member, write_package
from tests.unit.seal.negatives.forging import (
    FONT,
    LISTING,
    PAGE,
    SEAL,
    SIGNATURE,
    Case,
    Files,
    abroad,
    forge,
    swap,
    wrong,
)
from tests.unit.seal.sealing_room import ofd_files, pack, sealed_once, sm2, unpack

DOCTYPE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


def zipped(files: Files, extra: list[tuple[str | zipfile.ZipInfo, bytes]] = []) -> bytes:  # noqa: B006 - only read
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in [*files.items(), *extra]:
                archive.writestr(name, data)
    return target.getvalue()


def extra(name: str | zipfile.ZipInfo, data: bytes = b"x") -> Callable[[bool], bytes]:
    return lambda bad: forge(package=lambda files: zipped(files, [(name, data)] if bad else []))


def patched(change: Callable[[bytes], bytes]) -> Callable[[bool], bytes]:
    """Return the case that changes the bytes of the whole package."""
    return lambda bad: change(forge()) if bad else forge()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("Doc_0/link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def with_extra_field() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("Doc_0/named.xml")
    info.extra = struct.pack("<HHB", 0x7075, 1, 1)  # a second, Unicode name
    return info


def gap(document: bytes) -> bytes:
    end = len(document) - 22
    start = struct.unpack_from("<L", document, end + 16)[0]
    moved = struct.pack("<LH", start + 6, 0)
    return document[:start] + b"hidden" + document[start:end] + document[end : end + 16] + moved


def flipped(offset: int, bits: int) -> Callable[[bytes], bytes]:
    def change(document: bytes) -> bytes:
        data = bytearray(document)
        data[offset] ^= bits
        return bytes(data)

    return change


def renamed_locally(document: bytes) -> bytes:
    place = document.index(b"Doc_0/Document.xml")
    return document[:place] + b"Doc_0/Decument.xml" + document[place + 18 :]


def commented(document: bytes) -> bytes:
    return document[:-2] + struct.pack("<H", 5) + b"hello"


def bomb() -> Callable[[bool], bytes]:
    members = lambda files: [new_member(name, data) for name, data in files.items()]  # noqa: E731
    return lambda bad: forge(
        package=lambda files: write_package(
            [*members(files), *([new_member("Doc_0/bomb.xml", bytes(8 << 20))] if bad else [])]
        )
    )


def doctype(name: str) -> Callable[[bool], bytes]:
    def step(files: Files) -> Files:
        head, rest = files[name].split(b"?>", 1)
        return files | {name: head + b"?>" + DOCTYPE + rest}

    if name == SIGNATURE:
        return wrong(xml=lambda xml: step({SIGNATURE: xml})[SIGNATURE])
    return wrong(before=step)


def utf16(files: Files) -> Files:
    text = files["OFD.xml"].decode().split("?>", 1)[1]
    hidden = f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x []>{text}'
    return files | {"OFD.xml": hidden.encode("utf-16")}


def two_files(files: Files) -> Files:
    named = swap("Doc_0/Document.xml", b"PublicRes.xml", b"Doc_0/x.xml")(files)
    return named | {"Doc_0/Doc_0/x.xml": b"<x/>", "Doc_0/x.xml": b"<x/>"}


def second_document(bad: bool) -> bytes:
    """Make the package of two documents, every file of both protected."""

    def step(files: Files) -> Files:
        body = b"<ofd:DocBody><ofd:DocRoot>Doc_1/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>"
        other = files["Doc_0/Document.xml"].replace(b'ID="1"', b'ID="101"')
        for place in (b"Pages/", b"PublicRes.xml", b"Attachs/"):
            other = other.replace(b'"' + place, b'"/Doc_0/' + place).replace(
                b">" + place, b">/Doc_0/" + place
            )
        return swap("OFD.xml", b"</ofd:OFD>", body)(files) | {"Doc_1/Document.xml": other}

    def listed(xml: bytes, files: Files) -> bytes:
        value = base64.b64encode(sm2().digest(files["Doc_1/Document.xml"]))
        entry = b'<ofd:Reference FileRef="/Doc_1/Document.xml"><ofd:CheckValue>' + value
        return xml.replace(
            b"</ofd:References>", entry + b"</ofd:CheckValue></ofd:Reference></ofd:References>"
        )

    if not bad:
        return forge()
    second = step(dict(unpack(sealed_once())))
    return forge(before=step, xml=lambda xml: listed(xml, second))


def _bit(data: bytes) -> bytes:
    return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]


def _package(name: str, make: Callable[[bool], bytes]) -> Case:
    return Case(f"package: {name}", "container", "PACKAGE", make)


def _xml(name: str, make: Callable[[bool], bytes], **also: str) -> Case:
    return Case(f"xml: {name}", "container", "XML", make, also=also)


CASES = [
    _package("the root twice", extra("OFD.xml")),
    _package("a page twice, in other case", extra(PAGE.upper())),
    _package("the list of signatures twice", extra(LISTING)),
    _package("a climbing path", extra("../x")),
    _package("an absolute path", extra("/x")),
    _package("a drive", extra("C:/x")),
    _package("a host", extra("//host/x")),
    _package("a control character", extra("a\x01b")),
    _package("a decomposed letter", extra("e\u0301")),
    _package("a bidirectional override", extra("a\u202eb")),
    _package("a member inside a member", extra("Doc_0/Document.xml/x")),
    _package("a backslash", lambda bad: extra("Doc_0/xy")(bad).replace(b"Doc_0/xy", b"Doc_0\\xy")),
    _package("a NUL in a name", lambda bad: extra("Doc_0/xy")(bad).replace(b"Doc_0/xy", b"Doc_0/\0y")),
    _package("a symbolic link", extra(link(), b"/etc/passwd")),
    _package("a second name in an extra field", extra(with_extra_field())),
    _package("a folder with content", extra(zipfile.ZipInfo("Doc_0/Pages/"))),
    _package("a trailing byte", patched(lambda document: document + b"\0")),
    _package("a leading byte", patched(lambda document: b"M" + document)),
    _package("two archives joined", patched(lambda document: pack(ofd_files()) + document)),
    _package("an archive comment", patched(commented)),
    _package("hidden bytes before the directory", patched(gap)),
    _package("a name that differs in the directory", patched(renamed_locally)),
    _package("encryption", patched(flipped(6, 1))),
    _package("a method of its own", patched(flipped(8, 14))),
    _package("a wrong checksum", patched(flipped(14, 1))),
    _package("a cut end", patched(lambda document: document[:-1])),
    _package("a bomb", bomb()),
    *(_xml(f"a document type in {name}", doctype(name)) for name in ("Doc_0/PublicRes.xml", "Doc_0/Attachs/Attachments.xml")),
    _xml("a document type in OFD.xml", doctype("OFD.xml")),
    _xml("a document type in the list", doctype(LISTING)),
    _xml("a document type in Signature.xml", doctype(SIGNATURE)),
    _xml("a document type in a page", doctype(PAGE), references="STAMP"),
    _xml("a document type hidden in UTF-16", wrong(before=utf16)),
    _xml("a page that is not well formed", wrong(before=swap(PAGE, b"</ofd:Page>", b"</ofd:Page")), references="STAMP"),
    _xml("a foreign namespace", wrong(before=swap(
        "OFD.xml", b"<ofd:DocRoot>", b'<DocRoot xmlns="urn:x"/><ofd:DocRoot>')), references="STAMP"),
    _xml("a location outside", wrong(before=swap("Doc_0/Document.xml", b"PublicRes.xml", b"../../x.xml"))),
    _xml("a location with a backslash", wrong(before=swap("Doc_0/Document.xml", b"PublicRes.xml", b"a\\b"))),
    _xml("a location of two files", wrong(before=two_files), coverage="UNREFERENCED_MEMBER"),
    _xml("two pages of one id", wrong(before=swap("Doc_0/Document.xml", b"</ofd:Pages>",
         b'<ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages>'))),
    _xml("a signature listed twice", wrong(before=swap(LISTING, b"</ofd:Signatures>",
         f'<ofd:Signature ID="9" BaseLoc="/{SIGNATURE}"/></ofd:Signatures>'.encode()))),
    _xml("a page box without extent", wrong(before=swap("Doc_0/Document.xml", b"0 0 210 297", b"0 0 0 297")), references="STAMP"),
    Case("a second document body", "container", "SECOND_BODY", second_document),
    Case("a stray file", "coverage", "UNREFERENCED_MEMBER", wrong(after=lambda files: files | {"Doc_0/x.bin": b"x"})),
    Case("a stray file, abroad", "coverage", "UNREFERENCED_MEMBER",
         wrong(after=lambda files: files | {"Doc_0/x.bin": b"x"}), abroad),
    Case("a private file beside the signature", "coverage", "UNREFERENCED_MEMBER",
         wrong(after=lambda files: files | {"Doc_0/Signs/Sign_0/own.bin": b"x"})),
    Case("one bit changed in the seal file", "digests", "DIGEST",
         wrong(after=lambda files: files | {SEAL: _bit(files[SEAL])}), also={"certlist": "SEAL_MISMATCH"}),
    *(Case(f"one bit changed in {name}", "digests", "DIGEST",
           wrong(after=lambda files, name=name: files | {name: _bit(files[name])})) for name in (FONT, "Doc_0/Attachs/data.json")),
]  # fmt: skip
