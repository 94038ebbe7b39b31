"""The addresses of the sharing interface; each answers in the envelope of GB/T 36906."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from services.certs.api import copies, directory, reading
from services.certs.api.door import Door, Visit, answered
from services.certs.api.shapes import (
    Answer,
    DirectoryAsked,
    Envelope,
    FileAsked,
    FileToVerify,
    HolderUrlAsked,
    InfoToVerify,
    ListAsked,
    OfHolder,
    OfIdentifier,
    OfQrCode,
    RemarkAsked,
    UrlAsked,
)

OFD = "application/ofd"
FILE_BODY_BYTES = 13 * 1024 * 1024
Ticket = Annotated[str, Path(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


def sharing_router(door: Door) -> APIRouter:
    """Return the routes; whoever calls shows a department's certificate."""
    router = APIRouter(tags=["GB/T 36906"])
    _add_directory(router, door)
    _add_information(router, door)
    _add_copies(router, door)
    _add_verification(router, door)
    return router


def _add_directory(router: APIRouter, door: Door) -> None:
    @router.post("/queryCertCatalog", summary="证照目录")
    async def types(request: Request, asked: Envelope[DirectoryAsked]) -> Answer:
        """Return the catalogue records of the published types, and whether the caller's agreement covers them."""
        return await answered(door, request, asked.head, lambda visit: directory.types(visit, asked.data))

    @router.post("/queryCertList", summary="证照检索")
    async def licences(request: Request, asked: Envelope[ListAsked]) -> Answer:
        """Return which licences of a type somebody holds, and where they stand."""
        return await answered(door, request, asked.head, lambda visit: directory.licences(visit, asked.data))


def _add_information(router: APIRouter, door: Door) -> None:
    @router.post("/queryCertInfoByHolderCode", summary="基于持证主体代码的信息获取")
    async def query_by_holder(request: Request, asked: Envelope[OfHolder]) -> Answer:
        """Return the usable licences of a holder of one type, masked as the purpose allows."""
        return await answered(door, request, asked.head, lambda visit: reading.by_holder(visit, asked.data))

    @router.post("/queryCertInfo", summary="基于证照标识的信息获取")
    async def query(request: Request, asked: Envelope[OfIdentifier]) -> Answer:
        """Return a usable licence by its identifier."""
        return await answered(
            door, request, asked.head, lambda visit: reading.by_identifier(visit, asked.data)
        )

    @router.post("/queryCertInfoByQRcode", summary="扫码信息获取")
    async def query_by_qr_code(request: Request, asked: Envelope[OfQrCode]) -> Answer:
        """Return the licence that a holder shows."""
        return await answered(door, request, asked.head, lambda visit: reading.by_qr_code(visit, asked.data))

    @router.post("/getCertRemark", summary="照面信息项字典")
    async def fields(request: Request, asked: Envelope[RemarkAsked]) -> Answer:
        """Return the face fields of a type."""
        return await answered(door, request, asked.head, lambda visit: reading.remark(visit, asked.data))


def _add_copies(router: APIRouter, door: Door) -> None:
    @router.post("/downloadUrl", summary="基于证照标识的加注件下载地址")
    async def address(request: Request, asked: Envelope[UrlAsked]) -> Answer:
        """Make an annotated copy and return its address, good once for ten minutes, for the same caller."""
        return await answered(door, request, asked.head, lambda visit: copies.address(visit, asked.data))

    @router.post("/downloadUrlByHolderCode", summary="基于持证主体代码的加注件下载地址")
    async def addresses(request: Request, asked: Envelope[HolderUrlAsked]) -> Answer:
        """Make annotated copies of what a holder has in force of one type and return their addresses."""
        return await answered(
            door,
            request,
            asked.head,
            lambda visit: copies.addresses_of_holder(visit, asked.data),
            cost=copies.cost_of(asked.data),
        )

    @router.post("/downloadFile", summary="加注件下载")
    async def file(request: Request, asked: Envelope[FileAsked]) -> Answer:
        """Return an annotated copy in base64."""
        return await answered(door, request, asked.head, lambda visit: copies.file(visit, asked.data))

    @router.post("/previewCert", summary="基于证照标识的预览")
    async def picture(request: Request, asked: Envelope[OfIdentifier]) -> Answer:
        """Return a picture of a usable licence, marked as a preview, in base64."""
        return await answered(door, request, asked.head, lambda visit: copies.shown(visit, asked.data))

    @router.get(
        "/copies/{ticket}",
        response_class=Response,
        responses={200: {"content": {OFD: {"schema": {"type": "string", "format": "binary"}}}}},
        summary="取回加注件",
    )
    async def fetch(request: Request, ticket: Ticket) -> Response:
        """Return the annotated copy of an address, once."""
        content = await copies.fetch(Visit(door, door.enter(request)), ticket)
        named = {"content-disposition": 'attachment; filename="copy.ofd"'}
        return Response(content, media_type=OFD, headers=named)


def _add_verification(router: APIRouter, door: Door) -> None:
    @router.post("/verifyCertInfo", summary="证照信息验证")
    async def info(request: Request, asked: Envelope[InfoToVerify]) -> Answer:
        """Say whether what was said of a licence is so."""
        return await answered(door, request, asked.head, lambda visit: reading.verify_info(visit, asked.data))

    @router.post("/verifyFile", max_body_size=FILE_BODY_BYTES, summary="证照文件验证")
    async def file(request: Request, asked: Envelope[FileToVerify]) -> Answer:
        """Say whether a file is the original that was issued."""
        return await answered(door, request, asked.head, lambda visit: reading.verify_file(visit, asked.data))
