"""The command is installed as a user installs it, on each Python that it says it runs on."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS = [
    classifier.rpartition(" ")[2]
    for classifier in PROJECT["classifiers"]
    if re.search(r":: 3\.\d+$", classifier)
]
type Run = Callable[..., subprocess.CompletedProcess[str]]

UV = ROOT / ".venv" / "dev" / "bin" / "uv"
LOCK = ROOT / "requirements" / "command.txt"

pytestmark = pytest.mark.xdist_group("command")


def interpreters(version: str) -> Iterator[str]:
    """Give what may be a Python of this version: from PATH, or from pyenv."""
    yield f"python{version}"
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from (str(path) for path in root.glob(f"versions/{version}.*/bin/python"))


def find_python(version: str) -> str | None:
    for python in interpreters(version):
        # A shim of pyenv is there for every version, and works for the selected ones alone.
        if shutil.which(python) and not subprocess.run([python, "-c", ""], check=False).returncode:
            return python
    return None


@pytest.fixture(scope="module", params=VERSIONS)
def command(
    request: pytest.FixtureRequest, sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Run the command, as `uv tool install` installed it on one version of Python."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} on this machine")
    folder = tmp_path_factory.mktemp("tool")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
    }
    subprocess.run(
        [UV, "tool", "install", "--quiet", "--python", python, "--constraints", LOCK, sources],
        env=environment,
        check=True,
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [folder / "bin" / "emr-log-guard", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_installed_command_prints_its_version(command: Run) -> None:
    assert command("--version").stdout == f"emr-log-guard {PROJECT['version']}\n"


def test_installed_command_prints_its_help(command: Run) -> None:
    printed = command("--help")

    assert printed.returncode == 0
    assert "audit" in printed.stdout
    assert printed.stderr == ""


@pytest.mark.parametrize(("mode", "status"), [("alert", 0), ("shout", 2)])
def test_installed_command_validates_a_policy(
    command: Run, tmp_path: Path, mode: str, status: int
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"mode": mode}))

    validated = command("policy", "validate", str(policy))

    assert (validated.returncode, "Traceback" in validated.stderr) == (status, False)


def test_every_module_of_the_command_imports(command: Run) -> None:
    """`audit` and `prepare` import the adapters, rules and reports only when they run."""
    for arguments in (("audit", "--print-iam-policy"), ("audit", "--help"), ("prepare", "--help")):
        printed = command(*arguments)

        assert (printed.returncode, printed.stderr) == (0, ""), arguments


def names(path: Path) -> Mapping[str, str]:
    """Give each package of a lock, and its version."""
    return dict(re.findall(r"^([\w-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_lock_of_the_command_has_what_the_project_depends_on_in_the_tested_versions() -> None:
    direct = (ROOT / "requirements" / "command.in").read_text().splitlines()
    tested = names(ROOT / "requirements" / "dev.txt")

    assert direct[1:] == PROJECT["dependencies"]
    assert names(LOCK).items() <= tested.items()
