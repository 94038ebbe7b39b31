"""How the verification page says what seal answers: (Chinese, English), for results with a sign beside."""

from __future__ import annotations

CHECKS = {
    "container": ("文件结构", "File structure"),
    "references": ("保护清单", "List of protected parts"),
    "digests": ("文件未被改动", "Nothing protected was changed"),
    "signature": ("签名值", "Signature value"),
    "certlist": ("签章人属于该印章", "The signer belongs to the seal"),
    "seal_signature": ("制章人签名", "The maker's signature of the seal"),
    "seal_validity": ("印章有效期", "Validity of the seal"),
    "maker_chain": ("制章人证书", "The maker's certificate"),
    "signer_chain": ("签章人证书", "The signer's certificate"),
    "revocation": ("证书吊销情况", "Revocation of certificates"),
    "timestamp": ("时间戳", "Timestamp"),
    "seal_status": ("印章状态", "State of the seal"),
    "coverage": ("保护范围", "What is protected"),
}
RESULTS = {
    "valid": ("✓", "通过", "valid"),
    "invalid": ("✗", "不通过", "invalid"),
    "indeterminate": ("?", "无法确定", "cannot be decided"),
    "not_applicable": ("–", "不适用", "not applicable"),
}
VERDICTS = {
    "VALID": ("✓", "有效", "Valid"),
    "INVALID": ("✗", "无效", "Invalid"),
    "INDETERMINATE": ("?", "无法确定", "Cannot be decided"),
    "UNSIGNED": ("–", "没有电子印章", "No electronic seal"),
}
PARTS = {
    "page": ("页面", "page"),
    "content": ("内容文件", "content"),
    "signature_list": ("签章列表", "list of signatures"),
    "signature": ("签章文件", "signature"),
    "unlisted": ("来历不明的文件", "unlisted file"),
    "revision": ("修订版本", "revision"),
    "later_revision": ("后续修订", "later revision"),
}
