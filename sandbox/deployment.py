"""Builds and deploys the project's template with the SAM CLI, as for AWS."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
LAST_LINES = 25
REACHES_NO_AWS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def parameter_names() -> frozenset[str]:
    """The names of the template's parameters: `sam deploy` ignores others."""
    section = re.search(r"^Parameters:\n(.*?)^\S", TEMPLATE.read_text(), re.DOTALL | re.MULTILINE)
    return frozenset(re.findall(r"^  (\w+):$", section[1], re.MULTILINE) if section else ())


def build(template: Path = TEMPLATE, into: Path = BUILT.parent) -> Path:
    """Build a template for this machine's architecture and return the path of the built template.

    Raises:
        SandboxError: `sam build` failed; the message contains its last lines.
    """
    _sam(
        ["build", "--cached", "--template", str(template), "--build-dir", str(into),
         "--cache-dir", str(into.parent / "cache"), "--parameter-overrides", _architecture()],
        REACHES_NO_AWS,
    )  # fmt: skip
    return into / "template.yaml"


def deploy(
    built: Path, *, stack: str, parameters: Mapping[str, str], environment: Mapping[str, str]
) -> None:
    """Deploy a built template with the credentials and the endpoint of `environment`.

    Raises:
        SandboxError: `sam deploy` failed; the message contains its last lines.
    """
    # Quoted, because SAM splits an unquoted value at its spaces.
    given = [f"{name}={json.dumps(value)}" for name, value in parameters.items()]
    _sam(
        ["deploy", "--template-file", str(built), "--stack-name", stack,
         "--region", environment["AWS_DEFAULT_REGION"], "--resolve-s3", "--no-progressbar",
         "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--disable-rollback",
         "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND",
         "--parameter-overrides", _architecture(), *given],
        environment,
    )  # fmt: skip


def _architecture() -> str:
    return f"Architecture={ARCHITECTURES[platform.machine().lower()]}"


def _sam(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    sam = ROOT / ".venv" / "sam" / "bin" / "sam"
    if not sam.exists():
        message = f"{sam} is missing: run `make setup`"
        raise SandboxError(message)
    # Building the layers requires uv and python3.13 on PATH.
    tools = [str(ROOT / ".venv" / name / "bin") for name in ("uv", "dev")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    result = subprocess.run(
        [sam, *arguments],
        cwd=ROOT,
        env={**kept, **environment}
        | {"SAM_CLI_TELEMETRY": "0", "PATH": os.pathsep.join([*tools, os.environ["PATH"]])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        last = "\n".join((result.stdout + result.stderr).splitlines()[-LAST_LINES:])
        message = f"`sam {arguments[0]}` failed:\n{last}"
        raise SandboxError(message)
