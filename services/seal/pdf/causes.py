"""The reasons that a check of a PDF can give; codes are those of OFD wherever the question is the same."""

from __future__ import annotations

from services.seal.domain.verification.causes import CLAUSES as OF_SEALS
from services.seal.domain.verification.causes import Cause

_PDF, _SIGNED, _CMS = "ISO 32000-2 7.5", "ISO 32000-2 12.8", "EN 319 142-1 6.3"

CLAUSES = {
    **OF_SEALS,
    "container": f"{_PDF}; P1, P3",
    "references": f"{_SIGNED}.1; D2",
    "digests": f"{_SIGNED}.1; D1, D2",
    "signature": f"{_CMS}; T1–T5",
    "certlist": "EN 319 122-1 5.2.2; B1",
    "signer_chain": "RFC 5280 6.1; C1, C2",
    "coverage": f"{_SIGNED}.2; D3",
}
PACKAGE = Cause("PACKAGE", f"{_PDF}; P1", "PDF 文件结构不合规", "The PDF breaks a rule of strict reading")
ENCRYPTED = Cause(
    "ENCRYPTED", f"{_PDF}; P1", "PDF 文件已加密，无法验证", "The PDF is encrypted and was not read"
)
TOO_COMPLEX = Cause(
    "TOO_COMPLEX", f"{_PDF}; P1", "PDF 文件超出验证限度", "The PDF exceeds the limits of verification"
)
SIGNATURES_REMOVED = Cause(
    "SIGNATURES_REMOVED", f"{_SIGNED}; P3", "签章数量少于登记数", "Fewer signatures than the register knows"
)
REFERENCE = Cause(
    "REFERENCE", f"{_SIGNED}.1; D2", "签名字节范围不正确", "The byte range is not the file but the signature"
)
DIGEST = Cause(
    "DIGEST", f"{_SIGNED}.1; D2", "受签章保护的内容已被改动", "What the signature protects was changed"
)
OTHER_DIGEST = Cause("OTHER_DIGEST", f"{_CMS}; D1", "杂凑算法未支持", "The digest method is not built in")
COVERAGE = Cause(
    "COVERAGE",
    f"{_SIGNED}.2; D3",
    "签章后又修改了文件内容",
    "A later revision changes what is shown",
)
FORMAT = Cause("FORMAT", f"{_CMS}; T1", "签章数据格式错误", "The signature data does not parse")
NOT_A_SEAL = Cause(
    "NOT_A_SEAL", f"{_CMS}; T1", "不是电子印章的签章", "A signature of another kind than a seal's"
)
SUITE = Cause("SUITE", f"{_CMS}; T3", "密码算法未支持", "The algorithm is not built in")
ALGORITHM_MISMATCH = Cause(
    "ALGORITHM_MISMATCH", f"{_CMS}; T3", "算法与证书密钥不匹配", "Algorithm and certificate key do not fit"
)
SIGNATURE = Cause("SIGNATURE", f"{_CMS}; T5", "签名值验证失败", "The signature value does not verify")
SIGNER_NAMED = Cause(
    "SIGNER_NAMED",
    "EN 319 122-1 5.2.2; B1",
    "签名属性与签章人证书不一致",
    "The signed attributes name another certificate, or none",
)
SIGNER_NOT_IN_SEAL = Cause(
    "SIGNER_NOT_IN_SEAL",
    "B1",
    "签章人证书不是该印章登记的证书",
    "The signer's certificate is not one registered with the seal",
)
COMPANION_LISTED = Cause(
    "COMPANION_LISTED",
    "B1",
    "按已签名的 PDF 证书清单核对，清单不含印章数据",
    "Judged by the signed list of PDF certificates, which does not hold the seal itself",
)
COMPANION_UNKNOWN = Cause(
    "COMPANION_UNKNOWN",
    "B1",
    "没有该印章的登记信息，无法核对",
    "Nothing is known of the seal that the signature names",
)
