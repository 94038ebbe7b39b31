"""The corpus of hostile files, made when it is needed: nothing binary stands in the tree.

Each has the name under which it is sent in, and the reasons an upload of it may be refused with; what
the verifier of sealed documents and the command line say is judged where they are asked.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from cli.demo.supplying import paper

TYPE, BROKEN, COMPLEX, ACTIVE, NAMES = (
    "UPLOAD_TYPE_UNKNOWN",
    "FILE_BROKEN_INSIDE",
    "FILE_TOO_COMPLEX",
    "FILE_ACTIVE",
    "FILE_UNSAFE_NAMES",
)
OFD_NS = "http://www.ofdspec.org/2016"
OFD_XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<ofd:OFD xmlns:ofd="{OFD_NS}" Version="1.1" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>1</ofd:DocID>
</ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>""".encode()
DOCUMENT_XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<ofd:Document xmlns:ofd="{OFD_NS}"><ofd:CommonData><ofd:MaxUnitID>3</ofd:MaxUnitID><ofd:PageArea>
<ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea></ofd:CommonData><ofd:Pages>
<ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>""".encode()
PAGE_XML = f'<ofd:Page xmlns:ofd="{OFD_NS}"><ofd:Content/></ofd:Page>'.encode()
PLAIN = [
    ("OFD.xml", OFD_XML),
    ("Doc_0/Document.xml", DOCUMENT_XML),
    ("Doc_0/Pages/Page_0/Content.xml", PAGE_XML),
]
MIB = 1024 * 1024
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The harmless test pattern of the trade, in two pieces so that no scanner takes this source for it."""


@dataclass(frozen=True)
class Hostile:
    """One file of the corpus."""

    what: str
    name: str
    make: Callable[[], bytes]
    refused_as: tuple[str, ...]

    def __str__(self) -> str:
        return self.what


def ofd(extra: list[tuple[str | zipfile.ZipInfo, bytes]] = (), *, base=PLAIN, level: int = 6) -> bytes:  # type: ignore[assignment]
    """Return a package of the plain document and whatever is added."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as package:
        for name, data in [*base, *extra]:
            package.writestr(name, data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def replaced(name: str, data: bytes) -> bytes:
    """Return the plain document with one file replaced."""
    return ofd(base=[(each, data if each == name else old) for each, old in PLAIN])


def info(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    """Return an entry of a name that `zipfile` would have tidied up."""
    made = zipfile.ZipInfo("x")
    made.filename = name
    made.create_system, made.external_attr = 3, mode << 16
    return made


def overlapping_bomb(copies: int = 1500) -> bytes:
    """Return a package whose entries all point at one compressed kernel (after Fifield 2019)."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = engine.compress(bytes(MIB)) + engine.flush()
    crc, directory = zlib.crc32(bytes(MIB)), b""
    first = (
        struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(kernel), MIB, 7, 0)
        + b"OFD.xml"
        + kernel
    )
    for index in range(copies):
        name = b"OFD.xml" if index == 0 else f"{index:07d}".encode()
        sizes = (crc, len(kernel), MIB, 7, 0, 0, 0, 0, 0, 0)
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, *sizes) + name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, copies, copies, len(directory), len(first), 0)
    return first + directory + end


def lying_bomb() -> bytes:
    """Return a package whose headers announce ten bytes where 300 MB come out."""
    honest = bytearray(ofd([("Doc_0/big.bin", bytes(64 * MIB))]))
    size = struct.pack("<L", 64 * MIB)
    while (at := honest.find(size)) >= 0:
        honest[at : at + 4] = struct.pack("<L", 10)
    return bytes(honest)


def nested(depth: int) -> bytes:
    """Return a package in a package in a package."""
    inner = ofd([("Doc_0/big.bin", bytes(8 * MIB))])
    for _ in range(depth):
        inner = ofd([("Doc_0/inner.dat", inner)])
    return inner


def billion_laughs() -> bytes:
    """Return a document that grows a thousand million times when its entities are expanded."""
    lines = ['<!ENTITY a0 "ha">'] + [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return f'<!DOCTYPE x [{"".join(lines)}]><ofd:OFD xmlns:ofd="{OFD_NS}">&a9;</ofd:OFD>'.encode()


def pdf(extra_objects: bytes = b"", catalog: bytes = b"", version: bytes = b"1.7") -> bytes:
    """Return a one-page PDF with entries added to its catalog, and whole objects."""
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R " + catalog + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Resources<<>>>>",
    ]
    if extra_objects:
        bodies.append(extra_objects)
    out, offsets = b"%PDF-" + version + b"\n", []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += str(number).encode() + b" 0 obj\n" + body + b"\nendobj\n"
    table = b"".join(f"{each:010d} 00000 n \n".encode() for each in offsets)
    size = str(len(bodies) + 1).encode()
    out += b"xref\n0 " + size + b"\n0000000000 65535 f \n" + table
    start = str(out.rfind(b"xref\n0")).encode()
    return out + b"trailer\n<</Size " + size + b"/Root 1 0 R>>\nstartxref\n" + start + b"\n%%EOF\n"


def pdf_stream_bomb() -> bytes:
    """Return a PDF with one stream that inflates to 300 MB."""
    engine = zlib.compressobj(9)
    piece = bytes(MIB)
    data = b"".join(engine.compress(piece) for _ in range(300)) + engine.flush()
    return pdf(
        b"<</Filter/FlateDecode/Length " + str(len(data)).encode() + b">>\nstream\n" + data + b"\nendstream"
    )


def pdf_object_stream_bomb() -> bytes:
    """Return a PDF whose objects lie in a stream that inflates to 160 MB and then inflates again."""
    once = zlib.compress(bytes(160 * MIB), 9)
    twice = zlib.compress(once * 40, 9)
    head = b"<</Type/ObjStm/N 1/First 4/Filter[/FlateDecode/FlateDecode]/Length "
    return pdf(head + str(len(twice)).encode() + b">>\nstream\n" + twice + b"\nendstream")


def deep_pdf() -> bytes:
    """Return a PDF with arrays nested 50 000 deep."""
    return pdf(b"[" * 50_000 + b"]" * 50_000)


def png(width: int, height: int, rows: int = 1) -> bytes:
    """Return a PNG that claims to be this large and holds a few rows."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width // 8 + 1) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(**save: object) -> bytes:
    """Return a small real photograph."""
    target = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(target, "JPEG", **save)
    return target.getvalue()


def huge_jpeg() -> bytes:
    """Return a JPEG whose header claims 65 000 × 65 000 pixels."""
    made = bytearray(jpeg())
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(made)


def sealed_with(value: bytes) -> bytes:
    """Return a package whose one signature value is these bytes."""
    signatures = (
        f'<ofd:Signatures xmlns:ofd="{OFD_NS}"><ofd:MaxSignId>1</ofd:MaxSignId>'
        '<ofd:Signature ID="1" Type="Seal" BaseLoc="Sign_0/Signature.xml"/></ofd:Signatures>'
    )
    signature = (
        f'<ofd:Signature xmlns:ofd="{OFD_NS}"><ofd:SignedInfo><ofd:Provider ProviderName="x" Version="1"/>'
        "<ofd:SignatureMethod>1.2.156.10197.1.501</ofd:SignatureMethod>"
        "<ofd:SignatureDateTime>20260101000000Z</ofd:SignatureDateTime>"
        '<ofd:References CheckMethod="1.2.156.10197.1.401"><ofd:Reference FileRef="/OFD.xml">'
        "<ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference></ofd:References></ofd:SignedInfo>"
        "<ofd:SignedValue>SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    )
    root = OFD_XML.replace(
        b"</ofd:DocRoot>", b"</ofd:DocRoot><ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures>"
    )
    return ofd(
        [
            ("Doc_0/Signs/Signatures.xml", signatures.encode()),
            ("Doc_0/Signs/Sign_0/Signature.xml", signature.encode()),
            ("Doc_0/Signs/Sign_0/SignedValue.dat", value),
        ],
        base=[("OFD.xml", root), *PLAIN[1:]],
    )


def scan_pdf() -> bytes:
    """Return a sound PDF, as the demo uploads it."""
    return paper("scan")


def _wide_bomb() -> bytes:
    return ofd([(f"Doc_0/{n}.bin", bytes(8 * MIB)) for n in range(30)], level=9)


def _laughing_page() -> bytes:
    return replaced("OFD.xml", billion_laughs())


def _duplicate() -> bytes:
    made = info("OFD.xml")
    return _quiet(lambda: ofd([(made, b"<x/>")]))


def _quiet(make: Callable[[], bytes]) -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def _many() -> bytes:
    return ofd([(f"Doc_0/{n}", b"") for n in range(2_100)])


def _external_entity() -> bytes:
    return (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        b'<ofd:OFD xmlns:ofd="http://www.ofdspec.org/2016">&e;</ofd:OFD>'
    )


ACTION = b"4 0 R"
CORPUS: tuple[Hostile, ...] = (
    # archives
    Hostile("a flat bomb", "a.ofd", lambda: ofd([("Doc_0/big.bin", bytes(150 * MIB))], level=9), (COMPLEX,)),
    Hostile("a bomb of many members", "a.ofd", _wide_bomb, (COMPLEX,)),
    Hostile("a nested bomb", "a.ofd", lambda: nested(3), (ACTIVE, COMPLEX)),
    Hostile("an overlapping bomb", "a.ofd", overlapping_bomb, (COMPLEX,)),
    Hostile("a bomb that lies about its size", "a.ofd", lying_bomb, (BROKEN, COMPLEX)),
    Hostile("too many members", "a.ofd", _many, (COMPLEX,)),
    Hostile("zip slip", "a.ofd", lambda: ofd([(info("../../etc/cron.d/x"), b"x")]), (NAMES,)),
    Hostile("zip slip with a backslash", "a.ofd", lambda: ofd([(info("..\\..\\x"), b"x")]), (NAMES,)),
    Hostile("an absolute path", "a.ofd", lambda: ofd([(info("/etc/passwd"), b"x")]), (NAMES,)),
    Hostile("a drive letter", "a.ofd", lambda: ofd([(info("C:/x"), b"x")]), (NAMES,)),
    Hostile("a symbolic link", "a.ofd", lambda: ofd([(info("Doc_0/l", 0o120777), b"/etc/passwd")]), (NAMES,)),
    Hostile("a device", "a.ofd", lambda: ofd([(info("Doc_0/d", 0o020666), b"")]), (NAMES,)),
    Hostile("a member twice", "a.ofd", _duplicate, (NAMES,)),
    Hostile("a member twice but for case", "a.ofd", lambda: ofd([("ofd.XML", b"<x/>")]), (NAMES,)),
    Hostile("a name turned round", "a.ofd", lambda: ofd([("Doc_0/\u202efdp.x", b"x")]), (NAMES,)),
    Hostile("a name with a control character", "a.ofd", lambda: ofd([(info("Doc_0/a\x07b"), b"x")]), (NAMES,)),
    Hostile("a package cut short", "a.ofd", lambda: ofd()[:-30], (BROKEN,)),
    Hostile("a package of half its bytes", "a.ofd", lambda: ofd()[: len(ofd()) // 2], (BROKEN,)),
    Hostile("a package with a tail", "a.ofd", lambda: ofd() + b"<script>alert(1)</script>", (BROKEN,)),
    Hostile("a package behind a picture", "a.png", lambda: jpeg() + ofd(), (TYPE,)),
    Hostile("any zip named as OFD", "a.ofd", lambda: ofd(base=[("readme.txt", b"x")]), (BROKEN,)),
    Hostile("an encrypted member", "a.ofd", lambda: _flagged(ofd()), (ACTIVE,)),
    # XML
    Hostile("billion laughs", "a.ofd", _laughing_page, (ACTIVE, BROKEN)),
    Hostile("an external entity", "a.ofd", lambda: replaced("OFD.xml", _external_entity()), (ACTIVE, BROKEN)),
    Hostile("an outside document type", "a.ofd",
            lambda: replaced("Doc_0/Document.xml", b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>'), (ACTIVE,)),
    Hostile("XML nested too deeply", "a.ofd",
            lambda: replaced("Doc_0/Document.xml", b"<a>" * 5_000 + b"</a>" * 5_000), (BROKEN,)),
    Hostile("XML that is none", "a.ofd", lambda: replaced("OFD.xml", b"\xff\xfe\x00"), (BROKEN,)),
    Hostile("a script in OFD", "a.ofd",
            lambda: replaced("Doc_0/Document.xml", DOCUMENT_XML.replace(b"<ofd:Pages>", b"<ofd:Script>x</ofd:Script><ofd:Pages>")),
            (ACTIVE,)),
    Hostile("a javascript address in OFD", "a.ofd",
            lambda: replaced("Doc_0/Document.xml", DOCUMENT_XML.replace(b'ID="1"', b'ID="1" URI="JavaScript:x"')), (ACTIVE,)),
    Hostile("a program inside OFD", "a.ofd", lambda: ofd([("Doc_0/Res/run.exe", b"MZ\x90\0")]), (ACTIVE,)),
    Hostile("a program under a harmless name", "a.ofd", lambda: ofd([("Doc_0/Res/a.dat", b"\x7fELF\2\1")]), (ACTIVE,)),
    Hostile("a script picture inside OFD", "a.ofd", lambda: ofd([("Doc_0/Res/a.svg", b"<svg/>")]), (ACTIVE,)),
    # DER
    Hostile("a seal with an oversized length", "a.ofd", lambda: sealed_with(b"\x30\x84\x7f\xff\xff\xff\x02\x01\x04"), ()),
    Hostile("a seal with an endless length", "a.ofd", lambda: sealed_with(b"\x30\x80" + b"\x30\x80" * 5_000), ()),
    Hostile("a seal nested too deeply", "a.ofd", lambda: sealed_with(_deep_der()), ()),
    Hostile("a seal with 127 length bytes", "a.ofd", lambda: sealed_with(b"\x30\xff" + b"\xff" * 200), ()),
    # PDF
    Hostile("a PDF with a script", "a.pdf", lambda: pdf(b"<</S/JavaScript/JS(app.alert(1))>>", b"/OpenAction 4 0 R"), (ACTIVE,)),
    Hostile("a PDF that starts a program", "a.pdf", lambda: pdf(b"<</S/Launch/F(cmd.exe)>>", b"/OpenAction 4 0 R"), (ACTIVE,)),
    Hostile("a PDF with a script in its names", "a.pdf", lambda: pdf(catalog=b"/Names<</JavaScript<</Names[(x)<</S/JavaScript/JS(1)>>]>>>>"), (ACTIVE,)),
    Hostile("a PDF with a written-out script name", "a.pdf", lambda: pdf(b"<</S/J#61vaScript/J#53(1)>>", b"/OpenAction 4 0 R"), (ACTIVE,)),
    Hostile("a PDF that sends its form away", "a.pdf", lambda: pdf(b"<</S/SubmitForm/F(http://127.0.0.1/)>>"), (ACTIVE,)),
    Hostile("a PDF with additional actions", "a.pdf", lambda: pdf(catalog=b"/AA<</WC 4 0 R>>"), (ACTIVE,)),
    Hostile("a PDF with a file inside", "a.pdf", lambda: pdf(catalog=b"/Names<</EmbeddedFiles<</Names[]>>>>"), (ACTIVE,)),
    Hostile("a PDF with an XFA form", "a.pdf", lambda: pdf(catalog=b"/AcroForm<</XFA(x)>>"), (ACTIVE,)),
    Hostile("a PDF that opens another", "a.pdf", lambda: pdf(b"<</S/GoToR/F(//127.0.0.1/x)>>"), (ACTIVE,)),
    Hostile("a PDF stream bomb", "a.pdf", pdf_stream_bomb, (COMPLEX,)),
    Hostile("a PDF object bomb in two layers", "a.pdf", pdf_object_stream_bomb, (COMPLEX, BROKEN)),
    Hostile("a PDF nested too deeply", "a.pdf", deep_pdf, (COMPLEX, BROKEN)),
    Hostile("a PDF cut short", "a.pdf", lambda: scan_pdf()[:-400], (BROKEN,)),
    Hostile("a PDF of five bytes", "a.pdf", lambda: b"%PDF-", (BROKEN,)),
    Hostile("a PDF with a page of script behind it", "a.pdf", lambda: scan_pdf() + b"<html>" + bytes(3_000), (BROKEN,)),
    Hostile("a PDF in a loop", "a.pdf", lambda: pdf().replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"), (BROKEN, COMPLEX)),
    # images
    Hostile("a picture of 2.5 thousand million pixels", "a.png", lambda: png(50_000, 50_000), (COMPLEX,)),
    Hostile("a photograph of 65 000 by 65 000", "a.jpg", huge_jpeg, (COMPLEX, BROKEN)),
    Hostile("a picture cut short", "a.jpg", lambda: jpeg()[:200], (BROKEN,)),
    Hostile("a picture of zero width", "a.png", lambda: png(0, 10), (BROKEN,)),
    Hostile("a picture with a chunk of 4 GB", "a.png", lambda: png(8, 8)[:8] + b"\xff\xff\xff\xffIHDR", (BROKEN,)),
    # what is something else
    Hostile("SVG with a script", "a.svg", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', (TYPE,)),
    Hostile("SVG named as a picture", "a.png", lambda: b"<svg><script>1</script></svg>", (TYPE,)),
    Hostile("HTML named as PDF", "a.pdf", lambda: b"<html><script>1</script>", (TYPE,)),
    Hostile("a program named as a picture", "a.jpg", lambda: b"MZ" + bytes(100), (TYPE,)),
    Hostile("a picture named as PDF", "a.pdf", jpeg, (TYPE,)),
    Hostile("a PDF with a second ending", "a.pdf.exe", scan_pdf, (TYPE,)),
    Hostile("a PDF whose name is turned round", "a\u202efdp.exe", scan_pdf, (TYPE,)),
    Hostile("a PDF without an ending", "pdf", scan_pdf, (TYPE,)),
    Hostile("a PDF behind four bytes", "a.pdf", lambda: b"GIF8" + scan_pdf(), (TYPE,)),
    Hostile("nothing at all", "a.pdf", lambda: b"", (TYPE,)),
    Hostile("a gzip", "a.ofd", lambda: b"\x1f\x8b\x08" + bytes(50), (TYPE,)),
)  # fmt: skip


def _flagged(package: bytes) -> bytes:
    """Return the package with its first member said to be encrypted."""
    made = bytearray(package)
    made[6] |= 1
    at = made.index(b"PK\1\2")
    made[at + 8] |= 1
    return bytes(made)


def _deep_der(depth: int = 400) -> bytes:
    body = b"\x05\x00"
    for _ in range(depth):
        size = len(body)
        length = (
            bytes([size])
            if size < 128
            else b"\x82" + size.to_bytes(2, "big")
            if size > 255
            else b"\x81" + bytes([size])
        )
        body = b"\x30" + length + body
    return body


def sound() -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, media type, bytes) of harmless files, which every door must take."""
    yield "扫描件.pdf", "application/pdf", scan_pdf()
    yield "plain.PDF", "application/pdf", pdf()
    yield "link.pdf", "application/pdf", pdf(b"<</S/GoTo/D[3 0 R/Fit]>>", b"/OpenAction 4 0 R")
    yield "a.ofd", "application/ofd", ofd()
    yield "a.jpg", "image/jpeg", jpeg()
    yield "a.JPEG", "image/jpeg", jpeg(progressive=True)
    yield "a.png", "image/png", png(64, 64, rows=64)
