"""Why a PDF is not sealed: stable codes beside the rules they stand for."""

from __future__ import annotations

from chassis.errors import Kind, declare

PDF_MALFORMED = declare(
    "PDF_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "不是合规的 PDF 文件：{why}",
    "Not a PDF that all readers read alike: {why}",
)
PDF_ENCRYPTED = declare("PDF_ENCRYPTED", Kind.INVALID_ARGUMENT, "PDF 文件已加密", "The PDF is encrypted")
PDF_ACTIVE = declare(
    "PDF_ACTIVE",
    Kind.INVALID_ARGUMENT,
    "PDF 文件含有脚本、动作或附件：{what}",
    "The PDF holds something that runs, opens or is attached: {what}",
)
PDF_TOO_COMPLEX = declare(
    "PDF_TOO_COMPLEX",
    Kind.INVALID_ARGUMENT,
    "PDF 文件超出处理限度：{limit}",
    "The PDF exceeds a limit: {limit}",
)
PDF_CHANGES_FORBIDDEN = declare(
    "PDF_CHANGES_FORBIDDEN",
    Kind.FAILED_PRECONDITION,
    "PDF 文件的认证签名禁止再加盖印章",
    "An earlier signature of the PDF forbids adding another",
)
PDF_PAGE_MISSING = declare(
    "PDF_PAGE_MISSING",
    Kind.INVALID_ARGUMENT,
    "页码 {page} 不存在，共 {pages} 页",
    "There is no page {page} of {pages}",
)
PDF_ONE_STAMP_ONLY = declare(
    "PDF_ONE_STAMP_ONLY",
    Kind.FAILED_PRECONDITION,
    "已签章的 PDF 每次只能再加盖一处印模",
    "A PDF that is sealed already takes one stamp per further seal",
)
PDF_LEVEL_INCOMPLETE = declare(
    "PDF_LEVEL_INCOMPLETE",
    Kind.FAILED_PRECONDITION,
    "缺少该签名级别所需的{what}",
    "The level asked for needs {what}",
)
PDF_TIMESTAMP_REFUSED = declare(
    "PDF_TIMESTAMP_REFUSED",
    Kind.UNAVAILABLE,
    "时间戳服务返回的时间戳不可用：{why}",
    "The timestamp that came back cannot be used: {why}",
)
PDF_CREDENTIAL_REFUSED = declare(
    "PDF_CREDENTIAL_REFUSED",
    Kind.FAILED_PRECONDITION,
    "印章的 PDF 签名证书不可用：{why}",
    "The seal's credential for PDF cannot be used: {why}",
)
PDF_STAMP_REFUSED = declare(
    "PDF_STAMP_REFUSED",
    Kind.FAILED_PRECONDITION,
    "印模图片不可用于 PDF",
    "The imprint cannot be shown in a PDF",
)
