"""Why images or a bundle cannot be made; each refusal says what to install, name or change."""

from __future__ import annotations

from chassis.errors import Kind, declare

AIRGAP_TOOL_MISSING = declare(
    "AIRGAP_TOOL_MISSING",
    Kind.FAILED_PRECONDITION,
    "本机缺少 {tool}：{purpose}",
    "This machine has no {tool}: {purpose}",
)
AIRGAP_STEP_FAILED = declare(
    "AIRGAP_STEP_FAILED",
    Kind.UNAVAILABLE,
    "步骤“{step}”失败：{detail}",
    "The step {step} failed: {detail}",
)
AIRGAP_BASE_UNKNOWN = declare(
    "AIRGAP_BASE_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "--base 只能是 {known} 之一，格式为 名称=镜像：{given}",
    "--base takes NAME=IMAGE with one of {known}: {given}",
)
AIRGAP_IMAGE_MISSING = declare(
    "AIRGAP_IMAGE_MISSING",
    Kind.FAILED_PRECONDITION,
    "引擎上没有镜像 {image}，此处不会联网下载",
    "The engine has no image {image}, and none is pulled here",
)
AIRGAP_DOWNLOAD_DIFFERS = declare(
    "AIRGAP_DOWNLOAD_DIFFERS",
    Kind.FAILED_PRECONDITION,
    "下载的 {name} 与锁定的摘要不符",
    "What was fetched for {name} has another digest than the lock",
)
AIRGAP_PYTHON_DIFFERS = declare(
    "AIRGAP_PYTHON_DIFFERS",
    Kind.FAILED_PRECONDITION,
    "基础镜像用 Python {image}，请用同版本的 Python 运行本程序（现为 {here}）",
    "The base image has Python {image}: run this with the same version, not {here}",
)
AIRGAP_KEY_UNUSABLE = declare(
    "AIRGAP_KEY_UNUSABLE",
    Kind.INVALID_ARGUMENT,
    "{path} 不是可用的签名私钥（EC P-256，PEM）",
    "{path} is no usable signing key (EC P-256, PEM)",
)
