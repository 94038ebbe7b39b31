"""How a holder's screen says what the registry records, in both languages."""

from __future__ import annotations

from services.intake.api.shapes import TextView

KINDS = {
    "find": ("查找", "looked for"),
    "read": ("查看", "read"),
    "document": ("调取文件", "document fetched"),
    "consume": ("凭用证码使用", "used with a use-code"),
    "present": ("亮证", "shown by the holder"),
    "scan": ("扫码核验", "scanned"),
    "issue": ("签发用证码", "use-code issued"),
    "answer": ("是否核验", "yes-or-no question answered"),
    "copy": ("出具加注件", "annotated copy made"),
    "preview": ("预览", "previewed"),
    "status": ("核查状态", "status asked"),
}
BASES = {
    "consent": ("经您同意", "your consent"),
    "statutory_duty": ("履行法定职责", "a statutory duty"),
    "shown_by_holder": ("您本人出示", "shown by yourself"),
}
DISPUTE_KINDS = {
    "content": ("证照内容有误", "the licence says something wrong"),
    "use": ("对使用有异议", "a use of the licence"),
}
DISPUTE_STATES = {
    "opened": ("已提出", "opened"),
    "checking": ("核查中", "being checked"),
    "upheld": ("异议成立", "upheld"),
    "rejected": ("异议不成立", "rejected"),
    "withdrawn": ("已撤回", "withdrawn"),
}
POWERS = {
    "present": ("代为亮证", "show the licences"),
    "issue_use_code": ("代为提供给办事部门", "hand the licences to a department"),
    "apply": ("代为申办", "apply in your name"),
}
ENTRUSTMENT_STATES = {
    "pending": ("尚未送达证照库", "not yet with the registry"),
    "not_begun": ("尚未生效", "not begun"),
    "in_force": ("有效", "in force"),
    "ended": ("已到期", "ended"),
    "revoked": ("已撤回", "taken back"),
    "refused": ("未被证照库受理", "not taken over by the registry"),
}


def said(words: dict[str, tuple[str, str]], code: str) -> TextView:
    """Return a code in words; one that is not known here says itself."""
    zh, en = words.get(code, (code, code))
    return TextView(zh=zh, en=en)
