"""Every reason a check can give: a stable code, its text, and the rule it stands for.

Steps (P1 … K2) are those of the verification plan; clauses name the standard behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

_SIGNATURE, _SEAL, _OFD = "GB/T 38540-2020 7.3", "GB/T 38540-2020 6.3", "GB/T 33190-2016 18"
_X509, _TSP = "RFC 5280 6.1", "RFC 3161 2.3"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a check came out as it did."""

    code: str
    clause: str
    zh: str
    en: str


CLAUSES = {
    "container": f"{_OFD}; P1–P3",
    "references": f"{_OFD}; D1, D2",
    "digests": f"{_OFD}, {_SIGNATURE} c; D2, T4",
    "signature": f"{_SIGNATURE} a, b; T1–T5",
    "certlist": f"{_SIGNATURE} d; B1, B2",
    "seal_signature": f"{_SEAL} b; S1",
    "seal_validity": f"{_SEAL} d; S2",
    "maker_chain": f"{_SEAL} c, {_X509}; S3, S4",
    "signer_chain": f"{_SIGNATURE} d, {_X509}; C1, C2",
    "revocation": "RFC 5280 6.3; C3, C4",
    "timestamp": f"{_TSP}; K1, K2",
    "seal_status": f"{_SEAL}; S5",
    "coverage": f"{_OFD}; D3, D4",
}
"""What each check stands for, where its result names no narrower rule."""
HOLDS = Cause("HOLDS", "", "符合", "Holds")
NOT_RUN = Cause(
    "NOT_RUN", "", "因前序检查无法完成而未执行", "Not run, because an earlier step could not finish"
)
PACKAGE = Cause("PACKAGE", f"{_OFD}; P1", "文件包结构不合规", "The package breaks a rule of strict reading")
XML = Cause("XML", f"{_OFD}; P2", "版式文件 XML 不合规", "A file of the document is not sound XML")
SIGNATURES_REMOVED = Cause(
    "SIGNATURES_REMOVED", f"{_OFD}; P3", "签章数量少于登记数", "Fewer signatures than the register knows"
)
SECOND_BODY = Cause(
    "SECOND_BODY", f"{_OFD}; P3", "文件包含多个文档", "The package holds more than one document"
)
WEAK_DIGEST = Cause("WEAK_DIGEST", f"{_OFD}; D1", "杂凑算法过弱", "The digest method is weak or not stated")
OTHER_DIGEST = Cause("OTHER_DIGEST", f"{_OFD}; D1", "杂凑算法未支持", "The digest method is not built in")
REFERENCE = Cause(
    "REFERENCE", f"{_OFD}; D2", "被保护文件缺失、重复或摘要格式错误", "A protected file is missing, repeated or without a proper value"
)  # fmt: skip
DIGEST = Cause("DIGEST", f"{_OFD}; D2", "被保护文件已被改动", "A protected file was changed")
COVERAGE = Cause(
    "COVERAGE", f"{_OFD}; D3", "有内容未受签章保护", "Content that a reader shows is not protected"
)
UNREFERENCED_MEMBER = Cause(
    "UNREFERENCED_MEMBER",
    f"{_OFD}; D4",
    "文件包中有来历不明的文件",
    "A file in the package belongs to nothing",
)
STAMP = Cause(
    "STAMP",
    f"{_OFD}; V1",
    "印章位置或印模不正确",
    "A stamp lies outside its page, or its picture does not decode",
)
FORMAT = Cause("FORMAT", f"{_SIGNATURE} a; T1", "签章数据格式错误", "The signature data does not parse")
NOT_A_SEAL = Cause(
    "NOT_A_SEAL", f"{_SIGNATURE} a; T1", "不是电子印章签章数据", "A signature of another kind than a seal's"
)
VERSION = Cause(
    "VERSION", f"{_SIGNATURE} a; T2", "签章数据版本不一致", "The versions inside the signature disagree"
)
SUITE = Cause("SUITE", f"{_SIGNATURE} b; T3", "密码算法未支持", "The algorithm is not built in")
ALGORITHM_MISMATCH = Cause(
    "ALGORITHM_MISMATCH",
    f"{_SIGNATURE} b; T3",
    "算法与证书密钥不匹配",
    "Algorithm and certificate key do not fit",
)
DATA_HASH = Cause(
    "DATA_HASH", f"{_SIGNATURE} c; T4", "签章与文件不对应", "The signature belongs to another document"
)
SIGNATURE = Cause("SIGNATURE", f"{_SIGNATURE} b; T5", "签名值验证失败", "The signature value does not verify")
SIGNER_NOT_IN_SEAL = Cause(
    "SIGNER_NOT_IN_SEAL",
    f"{_SIGNATURE} d; B1",
    "签章人证书不在印章中",
    "The signer's certificate is not in the seal",
)
SEAL_MISMATCH = Cause(
    "SEAL_MISMATCH",
    f"{_SIGNATURE}; B2",
    "印章文件与签章中的印章不一致",
    "Seal.esl is not the seal inside the signature",
)
SEAL_SIGNATURE = Cause(
    "SEAL_SIGNATURE",
    f"{_SEAL} b; S1",
    "印章签名验证失败",
    "The maker's signature of the seal does not verify",
)
SEAL_VALIDITY = Cause(
    "SEAL_VALIDITY",
    f"{_SEAL} d; S2",
    "签章时印章不在有效期内",
    "The seal was not valid when the document was sealed",
)
NO_STATED_TIME = Cause(
    "NO_STATED_TIME", f"{_SIGNATURE}; S2", "签章时间无法读取", "The signature states no readable time"
)
MAKER_CERT = Cause(
    "MAKER_CERT", f"{_SEAL} c, {_X509}; S3", "制章人证书不可信", "The maker's certificate is not sound"
)
MAKER_EXPIRED = Cause(
    "MAKER_EXPIRED", f"{_SEAL} c; S4", "制章时制章人证书不在有效期内", "The maker's certificate was not valid when the seal was made"
)  # fmt: skip
NO_ANCHOR = Cause("NO_ANCHOR", f"{_X509}; S3, C1", "没有可用的信任根", "No trust anchor or no path to one")
CERTIFICATE_SUITE = Cause(
    "CERTIFICATE_SUITE",
    f"{_X509}; S3, C1",
    "证书的签名算法未支持，无法核验证书链",
    "A certificate is signed with an algorithm that is not built in, so the chain cannot be judged",
)
SEAL_STATUS = Cause("SEAL_STATUS", f"{_SEAL}; S5", "印章状态未知", "The state of the seal is not known")
SEAL_NOT_ACTIVE = Cause(
    "SEAL_NOT_ACTIVE",
    f"{_SEAL}; S5",
    "签章时印章已停用或注销",
    "The seal was suspended, revoked or cancelled",
)
SIGNER_CERT = Cause(
    "SIGNER_CERT", f"{_SIGNATURE} d, {_X509}; C1", "签章人证书不可信", "The signer's certificate is not sound"
)
SIGNER_EXPIRED = Cause(
    "SIGNER_EXPIRED",
    f"{_SIGNATURE} d; C2",
    "签章时签章人证书不在有效期内",
    "The signer's certificate was not valid then",
)
REVOKED = Cause(
    "REVOKED", "RFC 5280 6.3; C3", "证书在签章前已被吊销", "A certificate was revoked before it was used"
)
REVOCATION = Cause("REVOCATION", "RFC 5280 6.3; C3", "没有可用的证书吊销信息", "No current revocation data")
NO_PROOF_OF_TIME = Cause(
    "NO_PROOF_OF_TIME",
    f"{_TSP}; C3, C4",
    "无法证明签章早于证书失效",
    "Nothing proves that the sealing came first",
)
NO_TIMESTAMP = Cause("NO_TIMESTAMP", f"{_TSP}; K1", "没有时间戳", "There is no timestamp")
TIMESTAMP = Cause("TIMESTAMP", f"{_TSP}; K1", "时间戳无效", "The timestamp is wrong")
TIMESTAMP_AUTHORITY = Cause(
    "TIMESTAMP_AUTHORITY",
    f"{_TSP}; K1",
    "时间戳服务机构不在信任范围",
    "The time-stamping authority is not trusted",
)
TIMESTAMP_SUITE = Cause(
    "TIMESTAMP_SUITE",
    f"{_TSP}; K1",
    "时间戳的签名算法未支持，无法核验",
    "The timestamp is signed with an algorithm that is not built in and cannot be judged",
)
SEAL_EXPIRED_SINCE = Cause(
    "SEAL_EXPIRED_SINCE", f"{_SEAL} d; S2", "印章现已不在有效期内", "The seal is not valid now"
)
SEAL_ENDED_SINCE = Cause(
    "SEAL_ENDED_SINCE",
    f"{_SEAL}; S5",
    "印章现已停用或注销",
    "The seal is suspended, revoked or cancelled now",
)
SIGNER_EXPIRED_SINCE = Cause(
    "SIGNER_EXPIRED_SINCE",
    f"{_SIGNATURE} d; C2",
    "签章人证书现已过期",
    "The signer's certificate is not valid now",
)
REVOKED_SINCE = Cause(
    "REVOKED_SINCE", "RFC 5280 6.3; C3", "证书现已被吊销", "A certificate has been revoked by now"
)
FUTURE = Cause("FUTURE", f"{_SIGNATURE}; K2", "签章时间晚于当前时间", "The stated time lies in the future")
