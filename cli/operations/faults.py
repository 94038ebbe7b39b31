"""Why a backup cannot be made, trusted or restored. The codes are stable: schedulers match on them."""

from __future__ import annotations

from chassis.errors import Kind, declare

BACKUP_RECIPIENT_MISSING = declare(
    "BACKUP_RECIPIENT_MISSING",
    Kind.FAILED_PRECONDITION,
    "未指定备份接收公钥（--recipient age1…），可用 tongban backup --make-identity 文件 生成",
    "No recipient: give --recipient age1…; make one with: tongban backup --make-identity FILE",
)
BACKUP_RECIPIENT_MALFORMED = declare(
    "BACKUP_RECIPIENT_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "备份接收公钥有误，应为 age1…",
    "The recipient is no age public key (age1…)",
)
BACKUP_IDENTITY_UNREADABLE = declare(
    "BACKUP_IDENTITY_UNREADABLE",
    Kind.INVALID_ARGUMENT,
    "身份文件无法读取或已存在：{path}",
    "The identity file cannot be read, or exists already: {path}",
)
BACKUP_IDENTITY_WRONG = declare(
    "BACKUP_IDENTITY_WRONG",
    Kind.PERMISSION_DENIED,
    "该身份无法解开此备份",
    "This identity does not open this backup",
)
BACKUP_KEY_UNREADABLE = declare(
    "BACKUP_KEY_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "备份签名密钥无法读取：{setting}",
    "The key of backup signatures cannot be read: {setting}",
)
BACKUP_CUT_FAILED = declare(
    "BACKUP_CUT_FAILED",
    Kind.UNAVAILABLE,
    "未能在各库取得同一时刻的快照：{cause}",
    "No moment was found at which all databases stood still: {cause}",
)
BACKUP_FILES_MISSING = declare(
    "BACKUP_FILES_MISSING",
    Kind.FAILED_PRECONDITION,
    "数据库引用的 {count} 个文件不在存储中：{files}",
    "{count} files that a database refers to are not in their store: {files}",
)
BACKUP_NOT_WRITTEN = declare(
    "BACKUP_NOT_WRITTEN",
    Kind.UNAVAILABLE,
    "备份写入失败：{cause}",
    "The backup could not be written: {cause}",
)
BACKUP_INCOMPLETE = declare(
    "BACKUP_INCOMPLETE",
    Kind.FAILED_PRECONDITION,
    "备份不完整，缺少：{missing}",
    "The backup is incomplete; missing: {missing}",
)
BACKUP_TRUNCATED = declare(
    "BACKUP_TRUNCATED",
    Kind.FAILED_PRECONDITION,
    "备份文件 {part} 大小为 {found}，应为 {expected} 字节",
    "Part {part} of the backup has {found} bytes instead of {expected}",
)
BACKUP_TAMPERED = declare(
    "BACKUP_TAMPERED",
    Kind.FAILED_PRECONDITION,
    "备份已被改动：{part}",
    "The backup was changed: {part}",
)
BACKUP_SIGNATURE_WRONG = declare(
    "BACKUP_SIGNATURE_WRONG",
    Kind.PERMISSION_DENIED,
    "备份清单的签名不是本部署所签",
    "The manifest does not carry this deployment's signature",
)
BACKUP_FOREIGN_VERSION = declare(
    "BACKUP_FOREIGN_VERSION",
    Kind.FAILED_PRECONDITION,
    "备份来自其他版本：{what} 为 {found}，本系统为 {expected}；请用制作备份的版本恢复后再升级",
    "The backup is of another version: {what} is {found}, here {expected}; restore with the release that made it, then upgrade",
)
RESTORE_TARGET_NOT_EMPTY = declare(
    "RESTORE_TARGET_NOT_EMPTY",
    Kind.FAILED_PRECONDITION,
    "恢复目标不为空：{found}",
    "What shall be restored into is not empty: {found}",
)
RESTORE_KEYS_MISSING = declare(
    "RESTORE_KEYS_MISSING",
    Kind.FAILED_PRECONDITION,
    "缺少 {count} 个字段密钥，恢复后内容将无法读取，未作任何改动：{keys}",
    "{count} field keys are missing, without which the content could not be read; nothing was touched: {keys}",
)
FIELD_KEY_MISSING = declare(
    "FIELD_KEY_MISSING", Kind.FAILED_PRECONDITION, "不在密钥文件中", "is not in the keyring"
)
RESTORE_KEYS_WRONG = declare(
    "RESTORE_KEYS_WRONG",
    Kind.FAILED_PRECONDITION,
    "{service} 的字段密钥 {key_id} 不是备份所用的那一把，已全部撤回",
    "Field key {key_id} of {service} is not the one that the backup was made with; all of it was undone",
)
RESTORE_WHILE_RUNNING = declare(
    "RESTORE_WHILE_RUNNING",
    Kind.FAILED_PRECONDITION,
    "请先停止服务：tongban down",
    "Stop the services first: tongban down",
)
RESTORE_DIFFERS = declare(
    "RESTORE_DIFFERS",
    Kind.INTERNAL,
    "恢复结果与清单有 {count} 处不符，已全部撤回",
    "What was restored differs from the manifest in {count} places; all of it was undone",
)
RESTORED_CONTENT = declare(
    "RESTORED_CONTENT", Kind.INTERNAL, "应为 {expected}，实为 {found}", "is {found} instead of {expected}"
)
REHEARSAL_NEEDS_POSTGRES = declare(
    "REHEARSAL_NEEDS_POSTGRES",
    Kind.FAILED_PRECONDITION,
    "演练恢复需要内嵌 PostgreSQL（安装 tongban[local]）",
    "A rehearsal needs the embedded PostgreSQL; install tongban[local]",
)
KEYRING_NOT_GIVEN = declare(
    "KEYRING_NOT_GIVEN",
    Kind.FAILED_PRECONDITION,
    "未提供密钥环（{setting}），无法打开文件",
    "No keyring is given ({setting}); the documents cannot be opened",
)
