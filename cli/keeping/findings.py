"""What the doctor finds: a stable code, how bad it is, what was seen, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is; only errors make the exit status 1."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Advice:
    """A kind of finding: its code never changes its meaning; what to do, in both languages."""

    code: str
    do_zh: str
    do_en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, where, and what was seen."""

    name: str
    severity: Severity
    found: str
    advice: Advice | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is to be done."""
        return self.severity in (Severity.OK, Severity.INFO)

    def plain(self) -> dict[str, object]:
        """Return it as plain values; ``needed`` says whether the finding alone makes the exit status 1."""
        return {
            "name": self.name,
            "ok": self.ok,
            "needed": self.severity is Severity.ERROR,
            "severity": self.severity.value,
            "code": self.advice.code if self.advice and not self.ok else "",
            "found": self.found,
            "do_zh": self.advice.do_zh if self.advice and not self.ok else "",
            "do_en": self.advice.do_en if self.advice and not self.ok else "",
        }


def judged(name: str, found: str, advice: Advice, *, error: bool = False, warning: bool = False) -> Finding:
    """Return a finding that is an error, else a warning, else in order."""
    severity = Severity.ERROR if error else Severity.WARNING if warning else Severity.OK
    return Finding(name, severity, found, advice)


PYTHON = Advice("PYTHON_TOO_OLD", "安装 Python 3.11 或更新版本", "Install Python 3.11 or newer")
MEMORY = Advice("MEMORY_LOW", "释放内存或换用更大的主机", "Free memory, or take a larger machine")
DISK = Advice("DISK_LOW", "清理或扩大磁盘", "Clean up or enlarge the disk")
NOT_WRITABLE = Advice("DIRECTORY_NOT_WRITABLE", "修正目录权限", "Correct the directory's permissions")
POSTGRESQL = Advice("POSTGRESQL_MISSING", "安装 local 附加组件", "Install the project's extra 'local'")
CATALOGUE = Advice("CATALOGUE_MISSING", "设置 TONGBAN_CATALOGUE_DIR", "Set TONGBAN_CATALOGUE_DIR")
CALENDAR = Advice(
    "CALENDAR_SHORT",
    "放入下一年放假通知：tongban calendar load FILE",
    "Place the next year's notice: tongban calendar load FILE",
)
KAFKA_TOOLS = Advice("KAFKA_TOOLS_MISSING", "仅 --bus kafka 需要", "Only --bus kafka needs it")
SETTINGS = Advice("SETTINGS_WRONG", "按所列名称补齐配置", "Give the settings that are named")
SERVICE_DOWN = Advice("SERVICE_DOWN", "查看该服务日志并重新启动", "Read the service's log and start it again")
PORT_TAKEN = Advice(
    "PORT_TAKEN", "结束占用端口的程序或更换端口", "End what listens there, or choose another port"
)
DATABASE = Advice(
    "DATABASE_UNREACHABLE", "检查数据库是否运行、地址与口令", "See whether the database runs, and its DSN"
)
CLOCK = Advice("CLOCK_OFF", "启用时间同步（NTP）", "Have the clock set by NTP")
SCHEMA = Advice(
    "SCHEMA_WRONG", "执行 tongban migrate，或换用相应版本", "Run tongban migrate, or the matching release"
)
KEYRING = Advice(
    "KEYRING_WRONG", "恢复字段密钥文件", "Restore the field keyring; without it nothing personal can be read"
)
KEY_OLD = Advice(
    "FIELD_KEY_OLD",
    "tongban keys rotate、rewrap，再 retire",
    "tongban keys rotate, then rewrap, then retire",
)
CERTIFICATE = Advice(
    "CERTIFICATE_ENDING",
    "更换证书文件，服务会自行读取",
    "Replace the certificate files; services notice by themselves",
)
CERTIFICATE_WRONG = Advice(
    "CERTIFICATE_WRONG", "恢复成对的证书与私钥", "Restore a certificate and key that belong together"
)
TOKEN_KEYS = Advice("TOKEN_KEYS_WRONG", "重新发布令牌公钥文件", "Publish the token keys anew")
BACKUP = Advice("BACKUP_OLD", "运行 tongban backup 并查其日志", "Run tongban backup and read its log")
DEAD_LETTERS = Advice(
    "DEAD_LETTERS",
    "tongban dead-letters list，排除原因后 replay",
    "tongban dead-letters list; mend the cause, then replay",
)
OUTBOX = Advice("OUTBOX_OLD", "检查消息总线与中继日志", "See whether the bus answers; read the relay's log")
LAG = Advice(
    "CONSUMER_LAG", "检查消费者日志与主机负载", "Read the consumer's log; look at the machine's load"
)
BUS = Advice(
    "BUS_UNREACHABLE", "检查消息总线地址与证书", "See whether the bus runs, its address and certificates"
)
ROWS = Advice(
    "ROWS_WITHOUT_MAC",
    "升级前写入的行没有完整性校验码：tongban keys rewrap --what rows；已补齐后出现则为篡改",
    "Rows of an older release: tongban keys rewrap --what rows; after that, rows without a code were altered",
)
