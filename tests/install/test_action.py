"""The GitHub Action: the scripts of its steps, run as GitHub runs them, on the emulated account."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Sandbox
from tests.docs.pages import ROOT
from tests.install.test_command import find_python

ACTION = ".github/actions/audit"
STEPS = yaml.safe_load((ROOT / ACTION / "action.yml").read_text())["runs"]["steps"]
SCRIPTS: Mapping[str, str] = {step["name"]: step["run"] for step in STEPS if "run" in step}

pytestmark = pytest.mark.xdist_group("action")


class Runner:
    """A machine of GitHub's, with the credentials of the emulated account."""

    def __init__(self, folder: Path, sources: Path, account: Mapping[str, str]) -> None:
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "python").symlink_to(find_python("3.13") or "python3.13")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.output = folder / "output"
        self.environment = {
            **kept,
            **account,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder),
            "GITHUB_ACTION_PATH": str(sources / ACTION),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_SERVER_URL": "https://github.com",
        }

    def run(self, step: str, **variables: str) -> int:
        """Run the script of a step and return its exit status."""
        self.output.write_text("")
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[step]]
        return subprocess.run(shell, env=self.environment | variables, check=False).returncode

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the step that ran last."""
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture(scope="module")
def runner(sandbox: Sandbox, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    runner = Runner(tmp_path_factory.mktemp("runner"), sources, sandbox.environment)
    assert runner.run("Install") == 0
    return runner


def audit(runner: Runner, arguments: str) -> int:
    return runner.run(
        "Audit", ARGUMENTS=arguments, ACTION_REPOSITORY="owner/guard", ACTION_REF="v1.2.3"
    )


def driver(runner: Runner) -> dict[str, Any]:
    [run] = json.loads(Path(runner.outputs()["sarif"]).read_text())["runs"]
    tool: dict[str, Any] = run["tool"]["driver"]
    return tool


def test_action_audits_and_links_rules_to_the_runbooks_of_its_own_version(
    runner: Runner, sandbox: Sandbox
) -> None:
    sandbox.client("emr").run_job_flow(
        Name="nightly",
        ReleaseLabel="emr-7.5.0",
        LogUri="s3://logs/",
        JobFlowRole="EMR_EC2_DefaultRole",
        Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1},
    )

    status = audit(runner, "--rule\n  \nEMRLOG-002\n")

    assert (status, runner.outputs()["exit-status"]) == (0, "1")
    assert driver(runner)["version"] != "unreleased"
    assert driver(runner)["rules"][0]["helpUri"] == (
        "https://github.com/owner/guard/blob/v1.2.3/docs/runbooks/EMRLOG-002.md"
    )


def test_action_fails_when_nothing_could_be_read(runner: Runner) -> None:
    assert audit(runner, "--rule\nEMRLOG-999") == 2


@pytest.mark.parametrize("status", [0, 1, 3])
def test_action_can_fail_on_findings(runner: Runner, status: int) -> None:
    assert runner.run("Fail on findings", STATUS=str(status)) == status
