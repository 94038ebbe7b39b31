# ruff: noqa: N815 - the names are those of the interface
"""The messages of the sharing interface, under the names that its callers send."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=512)]
Code = Annotated[str, Field(max_length=128)]
FILE_LIMIT = 12 * 1024 * 1024
"""Characters of a file in base64: nine megabytes."""


class Shape(BaseModel):
    """A message: unknown fields are refused, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RequestHead(Shape):
    """Who asks. The client certificate decides; ``accessId`` must name the same, ``accessToken`` is not read."""

    accessId: Code = ""
    accessToken: Annotated[str, Field(max_length=4_096, repr=False)] = ""


class Grounded(Shape):
    """What a call may state beyond the standard: the article that gives the duty, the item and the case."""

    legalArticle: Text = ""
    itemCode: Code = ""
    caseId: Code = ""


class Asked(Grounded):
    """What every call states: the purpose."""

    useCause: Text = ""


class OfHolder(Asked):
    """By the holder's code."""

    holderCode: Annotated[str, Field(max_length=128, repr=False)] = ""
    holderTypeCode: Code = ""
    certTypeCode: Code = ""
    certNo: Annotated[str, Field(max_length=128, repr=False)] = ""


class OfIdentifier(Asked):
    """By the licence's identifier."""

    certIdentifier: Annotated[str, Field(max_length=128, repr=False)] = ""


class OfQrCode(Asked):
    """By the QR code that the holder shows."""

    qrcode: Annotated[str, Field(max_length=4_096, repr=False)] = ""


class UrlAsked(OfIdentifier):
    """The address of an annotated copy; ``expiryTime`` is the end of the copy's use."""

    expiryTime: Code = ""


class HolderUrlAsked(OfHolder):
    """The addresses of annotated copies of what a holder has in force of one type."""

    expiryTime: Code = ""


class Paged(Shape):
    """A list in pages: how many lines, 0 for the usual number, and the token that the page before named."""

    pageSize: int = 0
    pageToken: Code = ""


class ListAsked(OfHolder, Paged):
    """Which licences somebody holds; ``certStatus`` is a status of the interface, without one all."""

    certStatus: int | None = None


class DirectoryAsked(Paged):
    """Which types there are; ``certName`` is a part of the name."""

    certTypeCode: Code = ""
    certName: Text = ""
    defineAuthorityCode: Code = ""
    holderCategory: Code = ""


class FileAsked(Grounded):
    """An annotated copy itself."""

    certificateIdentifier: Annotated[str, Field(max_length=128, repr=False)] = ""
    fileType: Literal["", "ofd", "png"] = ""
    certificateCopyCause: Text = ""
    certificateCopyExpiringTime: Code = ""


class InfoToVerify(Asked):
    """Whether what somebody says of a licence is so."""

    certTypeCode: Code = ""
    certData: Annotated[dict[Code, Text], Field(max_length=100, repr=False)] = {}


class FileToVerify(Asked):
    """Whether a file is the original that was issued."""

    certTypeCode: Code = ""
    contentType: Literal["", "base64"] = ""
    content: Annotated[str, Field(max_length=FILE_LIMIT, repr=False)] = ""


class RemarkAsked(Shape):
    """The field dictionary of a type, by its code or its name."""

    certName: Text = ""
    certTypeCode: Code = ""


D = TypeVar("D", bound=Shape)


class Envelope(Shape, Generic[D]):
    """A request: head and data."""

    head: RequestHead = RequestHead()
    data: D


class AnswerHead(Shape):
    """How it went: 0 is well."""

    status: int
    message: str


class Answer(Shape):
    """An answer: head, and data where it went well."""

    head: AnswerHead
    data: Any = None
