"""The two contestants, each started as its users start it."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Run, measured
from sandbox.deployment import ROOT
from sandbox.fixtures import LOG_BUCKET
from sandbox.running import Sandbox

FAIR_RULES = tuple(f"EMRLOG-00{number}" for number in range(1, 7))
"""Rules that need only DescribeCluster and DescribeKey: Custodian can be compared with these."""


class WrongResultError(Exception):
    """A run failed, or its findings are wrong, so its time does not count."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run, its findings, and its calls to AWS."""

    run: Run
    bad: int
    """The number of clusters or log objects found non-compliant."""
    calls: Mapping[str, int]
    unread: int = 0
    """The number of clusters, and of accounts and Regions, that could not be read."""

    @property
    def requests(self) -> int:
        """The number of requests to AWS."""
        return sum(self.calls.values())


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run uses: an account, a folder, and optionally other servers."""

    account: Sandbox
    folder: Path
    s3: str | None = None
    """The server for S3; None uses the account."""
    everything: str | None = None
    """The server for all other services; None uses the account."""


def environment(ground: Ground) -> dict[str, str]:
    """The account's settings only; bytecode is kept from the first run on."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    return (
        kept
        | ground.account.environment
        | ({"AWS_ENDPOINT_URL": ground.everything} if ground.everything else {})
        | ({"AWS_ENDPOINT_URL_S3": ground.s3} if ground.s3 else {})
        | {
            "PYTHONPATH": str(ROOT / "layers" / "emr_log_guard"),
            "PYTHONPYCACHEPREFIX": str(ground.folder / "compiled"),
        }
    )


def guard(ground: Ground, *options: str, rules: Sequence[str] = ()) -> Found:
    """Run `emr-log-guard audit`."""
    chosen = [part for rule in rules for part in ("--rule", rule)]
    python = ROOT / ".venv" / "dev" / "bin" / "python"
    command: list[str | Path] = [
        python,
        "-m",
        "emr_log_guard.cli",
        "audit",
        "--format",
        "json",
        *chosen,
        *options,
    ]
    run = measured(command, environment(ground), ground.folder)
    if run.status not in {0, 1}:
        raise WrongResultError(run.stderr)
    report = json.loads(run.stdout)
    bad = (
        sum(
            finding["occurrences"]
            for cluster in report["clusters"]
            for finding in cluster["findings"]
            if finding["compliance"] == "NON_COMPLIANT" and finding["rule_id"] >= "EMRLOG-101"
        )
        if "--objects" in options
        else report["totals"]["NON_COMPLIANT"]
    )
    unread = report["totals"]["INSUFFICIENT_DATA"] + len(report["problems"])
    return Found(run, bad, report["api_calls"], unread)


CLUSTERS = {
    "name": "clusters",
    "resource": "aws.emr",
    "filters": [{"LogEncryptionKmsKeyId": "absent"}],
}
"""Clusters without a log key, as far as Custodian's filters can express that."""


def objects_policy(key_id: str, *, report_only: bool = True) -> dict[str, object]:
    """Log objects not encrypted with this key: Custodian does not know whose logs they are.

    If it does not only report them, it copies each onto itself with the key.
    """
    action = {"type": "encrypt-keys", "crypto": "aws:kms", "key-id": key_id}
    return {
        "name": "objects",
        "resource": "aws.s3",
        "filters": [{"Name": LOG_BUCKET}],
        "actions": [action | {"report-only": report_only}],
    }


def custodian(ground: Ground, policy: Mapping[str, object]) -> Found:
    """Run `custodian run` with one policy and without its cache."""
    file = ground.folder / "custodian.json"
    file.write_text(json.dumps({"policies": [policy]}))
    output = ground.folder / "custodian"
    binary = ROOT / ".venv" / "bench" / "bin" / "custodian"
    command: list[str | Path] = [binary, "run", "--cache-period", "0", "--output-dir", output, file]
    run = measured(command, environment(ground), ground.folder)
    results = output / str(policy["name"])
    if run.status:
        raise WrongResultError(run.stderr)
    metadata = json.loads((results / "metadata.json").read_text())
    found = re.search(r"EncryptExtant Complete keys:\d+ remediated:(\d+)", run.stderr)
    bad = int(found[1]) if found else len(json.loads((results / "resources.json").read_text()))
    return Found(run, bad, metadata["api-stats"])
