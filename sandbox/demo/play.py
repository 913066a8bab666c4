"""The parts of the demo: correct, mistakes, a lost key, enforcement, grace, re-encryption."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from sandbox import EmrPace, Sandbox, SandboxError, deployment
from sandbox.alert_inbox import AlertInbox, AlertMessage
from sandbox.demo.board import Row, board
from sandbox.demo.scenarios import VIOLATIONS, Keys
from sandbox.fixtures import LOG_BUCKET, OTHER_ACCOUNT, OTHER_ACCOUNTS_BUCKET, Fixtures
from sandbox.function_logs import FunctionLogs
from sandbox.polling import wait_for

SECONDS = 90
"""The time limit of a part; outcomes that are missing after it count as missing."""
SETTLED_SECONDS = 4  # longer than checks can overtake each other (SKEW of the records)
"""How long all outcomes must stay as expected: surplus alerts arrive late."""
REFRESH_SECONDS = 31
"""After this many seconds, no function uses an outdated policy to check a launch."""
PACE = EmrPace(launch=120, step=1, termination=1)
"""Clusters stay STARTING for the length of a part, so each is checked once, not four times."""
COLUMNS = 120
"""The width of the output where it goes to no terminal."""
REPORTS = deployment.ROOT / "build" / "demo"
"""Where the demo leaves what there is to look at afterwards."""
LOGS = ("node/i-0a1/daemons.log.gz", "steps/s-1/stderr.gz", "containers/c-1/stdout.gz")


class Demo:
    """A stack on an emulated account, its alerts, and a console for the output."""

    def __init__(self, console: Console, account: Sandbox, *, verbose: bool) -> None:
        """Deploy the stack in `alert` mode, and subscribe to its alerts."""
        self.console = console
        self.account = account
        self.verbose = verbose
        self.fixtures = Fixtures(account)
        self.keys = Keys.make(self.fixtures)
        self.parts: dict[str, list[Row]] = {}
        self._in_full: str | None = None
        outputs = self.deploy("Deploying the stack with the SAM CLI, IAM enforced", Mode="alert")
        self.policy_parameter = outputs["PolicyParameterName"]
        self.inbox = AlertInbox(account, outputs["AlertsTopicArn"])
        self.function_logs = FunctionLogs(account)

    @property
    def rows(self) -> list[Row]:
        """The outcomes of all parts."""
        return [row for rows in self.parts.values() for row in rows]

    def part(self, title: str, description: str, *, in_full: str | None = None) -> None:
        """Begin a part: print its title and its description.

        Args:
            title: the title.
            description: one line.
            in_full: the kind of which the first alert about the part's clusters is printed in full.
        """
        self.parts[title] = []
        self._in_full = in_full
        self.console.print()
        self.console.print(Rule(title, align="left"))
        self.console.print(description, soft_wrap=True)

    def deploy(self, description: str, **parameters: str) -> dict[str, str]:
        """Deploy the stack with the approved keys and these parameters; return its outputs."""
        with working(self.console, description):
            return self.account.deploy(
                {
                    "ApprovedKeys": self.keys.approved_list,
                    "EmrApiShare": "100",
                    "ReencryptionAllowed": "true",
                    **parameters,
                }
            )

    def policy(self) -> dict[str, Any]:
        """Read the policy document."""
        answer = self.account.client("ssm").get_parameter(Name=self.policy_parameter)
        document: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
        return document

    def set_policy(self, document: Mapping[str, Any]) -> None:
        """Write the policy document."""
        self.account.client("ssm").put_parameter(
            Name=self.policy_parameter, Value=json.dumps(document), Overwrite=True
        )

    def step(self, title: str, description: str) -> None:
        """Print one step."""
        self.console.print(f"[bold]{title}[/]  {description}", soft_wrap=True)

    def expect(self, *rows: Row) -> None:
        """Count outcomes towards the part that was begun last."""
        [*_, part] = self.parts.values()
        part += rows

    def watch(
        self, clusters: dict[str, Row], found: Callable[[str, list[AlertMessage]], str]
    ) -> None:
        """Show the alerts and the outcomes until all are as expected, or the time is up.

        Args:
            clusters: the rows by cluster id.
            found: the outcome according to the alerts about a cluster; empty if there is none yet.
        """
        rows = list(clusters.values())
        self.expect(*rows)
        deadline, settled = time.monotonic() + SECONDS, None
        with self._live(rows) as update:
            while time.monotonic() < deadline:
                for alert in self.inbox.receive():
                    self._show(alert, clusters)
                for cluster_id, row in clusters.items():
                    about = [a for a in self.inbox.alerts if a["cluster_id"] == cluster_id]
                    if outcome := found(cluster_id, about):
                        row.note(outcome)
                update()
                if not all(row.as_expected for row in rows):
                    settled = None
                elif settled is None:
                    settled = time.monotonic()
                elif time.monotonic() > settled + SETTLED_SECONDS:
                    break
                time.sleep(0.2)
            for row in rows:
                if not row.found:
                    row.found = "nothing"

    def command(self, *arguments: str) -> str:
        """Run `emr-log-guard` on the account; return what it printed.

        Raises:
            SandboxError: its exit status says that it could not do its work.
        """
        ran = subprocess.run(
            [sys.executable, "-m", "emr_log_guard.cli", *arguments],
            env=os.environ
            | self.account.environment
            | {
                "PYTHONPATH": str(deployment.ROOT / "layers" / "emr_log_guard"),
                "COLUMNS": str(self.console.width),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode > 1:
            message = f"emr-log-guard {' '.join(arguments)}: {ran.stderr.strip()}"
            raise SandboxError(message)
        return ran.stdout

    @contextmanager
    def _live(self, rows: list[Row]) -> Iterator[Callable[[], None]]:
        """Keep the rows below all other output; no terminal shows them once, at the end."""
        if not self.console.is_terminal:
            yield lambda: None
            self.console.print(board(rows))
            return
        with Live(board(rows), console=self.console, refresh_per_second=8) as live:
            yield lambda: live.update(board(rows))
            live.update(board(rows))

    def _show(self, alert: AlertMessage, clusters: Container[str]) -> None:
        """Print an alert as a line, or in full."""
        kind = alert["kind"]
        if kind == "policy.changed" and not self.verbose:
            return  # the demo itself changed it
        if kind == "finding.resolved" and alert["cluster_id"] not in clusters and not self.verbose:
            return  # the outcome counts them
        colour = {"finding.opened": "yellow", "enforcement.done": "red"}.get(kind, "cyan")
        if self.verbose or (kind == self._in_full and alert["cluster_id"] in clusters):
            self._in_full = None
            self.console.print(
                Panel(Text(alert["text"].strip()), title=Text(kind), border_style=colour)
            )
            return
        line = Text.assemble((f"{kind:<22}", colour), alert["subject"], no_wrap=True)
        line.truncate(self.console.width, overflow="ellipsis")
        self.console.print(line)


@contextmanager
def working(console: Console, description: str) -> Iterator[None]:
    """Show progress: a spinner while it lasts on a terminal, and a line with its seconds."""
    began = time.monotonic()
    with console.status(f"{description} …"):
        yield
    console.print(f"[dim]{description}: {time.monotonic() - began:.0f} s[/]", soft_wrap=True)


def play(console: Console, *, verbose: bool = False, reports: Path = REPORTS) -> bool:
    """Play all parts.

    Args:
        console: where to print.
        verbose: whether every alert is printed in full.
        reports: the folder for the files that it leaves: an audit of the account, and an
            explanation of one cluster.

    Returns:
        Whether every outcome is the expected one.
    """
    began = time.monotonic()
    with working(console, "Building the stack with the SAM CLI"):
        deployment.build()
    with console.status("Starting an AWS account on this machine …"):
        account = Sandbox.start(emr=PACE)
    with account:
        demo = Demo(console, account, verbose=verbose)
        _make_it_right(demo)
        _get_it_wrong(demo)
        _lose_the_key(demo)
        terminated = _enforce_it(demo)
        _give_it_time(demo)
        _reencrypt_it(demo)
        written = _write_reports(demo, reports, terminated)
        return _sum_up(demo, time.monotonic() - began, written)


def _make_it_right(demo: Demo) -> None:
    fixtures, console = demo.fixtures, demo.console
    demo.part(
        "1. Compliant: the four steps of encrypted EMR logs",
        "Roles, a key, a cluster that uses it, and a check of the objects in the bucket.",
    )
    fixtures.make_roles()
    fixtures.make_role_without_key()
    demo.step("Roles   ", "service role: kms:DescribeKey; nodes' role: kms:GenerateDataKey")
    demo.step("Key     ", f"alias/emr-logs, customer-managed: {demo.keys.approved}")
    fixtures.make_log_bucket()
    cluster_id = fixtures.launch("daily-report", LogEncryptionKmsKeyId="alias/emr-logs")
    demo.step("Cluster ", f"daily-report ({cluster_id}), emr-7.12.0, logs to s3://{LOG_BUCKET}/")
    for name in LOGS:
        fixtures.write_log(cluster_id, name, demo.keys.encrypt(demo.keys.approved))
    demo.step("Check   ", f"{len(LOGS)} log objects are written, read and evaluated:")
    row = Row("all four steps correct", "daily-report", "COMPLIANT")
    demo.expect(row)
    with console.status("Waiting for the results …"):
        row.note(wait_for(lambda: _verdict(demo.function_logs, cluster_id), seconds=SECONDS))
    if demo.inbox.about(cluster_id):
        row.note("an alert")
    console.print(board([row]))


def _verdict(function_logs: FunctionLogs, cluster_id: str) -> str:
    """The compliance of the cluster and its log objects; empty until all are checked."""
    checked = function_logs.records(
        "check_cluster", message="cluster checked", cluster_id=cluster_id
    )
    logs = function_logs.records(
        "check_log_objects", message="log objects checked", cluster_id=cluster_id
    )
    if not checked or sum(record["objects"] for record in logs) < len(LOGS):
        return ""
    return " and ".join(sorted({record["compliance"] for record in (*checked, *logs)}))


def _get_it_wrong(demo: Demo) -> None:
    demo.part(
        "2. Non-compliant: each mistake in a step",
        "One cluster per mistake. In alert mode, the guard notifies and terminates nothing.",
        in_full="finding.opened",
    )
    demo.fixtures.make_log_bucket(OTHER_ACCOUNTS_BUCKET, owner=OTHER_ACCOUNT)
    clusters = {
        each.launch(demo.fixtures, demo.keys): Row(each.title, each.name, each.rule or "")
        for each in VIOLATIONS
    }
    demo.watch(clusters, lambda _, alerts: ", ".join(_rules(alerts)))
    emr = demo.account.client("emr")
    ended = [cluster for cluster, row in clusters.items() if row.expected < "EMRLOG-1"]
    for cluster in ended:
        emr.terminate_job_flows(JobFlowIds=[cluster])
    demo.step("Relaunched", "with the fix, by their owners, who terminate the non-compliant ones")
    resolved = Row("terminated by the owners", f"{len(ended)} clusters", f"{len(ended)} resolved")
    demo.watch({ended[0]: resolved}, lambda *_: _resolved(demo.inbox.alerts, ended))


def _resolved(alerts: list[AlertMessage], clusters: list[str]) -> str:
    resolved = {alert["cluster_id"] for alert in alerts if alert["kind"] == "finding.resolved"}
    return f"{len(resolved.intersection(clusters))} resolved"


def _rules(alerts: list[AlertMessage]) -> list[str]:
    return sorted({finding["rule_id"] for alert in alerts for finding in alert["findings"]})


def _lose_the_key(demo: Demo) -> None:
    demo.part(
        "3. Key lost: the key of a running cluster is disabled, then enabled again",
        "The guard knows which clusters use the key, alerts, and resolves the finding.",
        in_full="finding.resolved",
    )
    kms = demo.account.client("kms")
    cluster_id = demo.fixtures.launch("month-end", LogEncryptionKmsKeyId=demo.keys.approved)
    wait_for(
        lambda: demo.function_logs.records(
            "check_cluster", message="cluster checked", cluster_id=cluster_id
        ),
        seconds=SECONDS,
    )
    kms.disable_key(KeyId="alias/emr-logs")
    demo.step("Disabled", "alias/emr-logs, by a key administrator")
    lost = {cluster_id: Row("its key disabled", "month-end", "EMRLOG-201")}
    demo.watch(lost, lambda _, alerts: ", ".join(_rules(alerts)))
    kms.enable_key(KeyId="alias/emr-logs")
    demo.step("Enabled ", "alias/emr-logs, by the key's owner")
    back = {cluster_id: Row("its key enabled again", "month-end", "finding.resolved")}
    demo.watch(back, lambda _, alerts: alerts[-1]["kind"] if alerts else "")


def _give_it_time(demo: Demo) -> None:
    demo.part(
        "5. Grace period: time for a fix or an exemption",
        "The policy is changed in SSM, without a deployment, and applies to open findings.",
        in_full="enforcement.scheduled",
    )
    policy = demo.policy()
    policy["enforcement"] |= {"grace_at_launch_minutes": 60}
    policy["reencryption"] = {"enabled": True, "default_key": demo.keys.approved}
    demo.set_policy(policy)
    demo.step(
        "Policy  ",
        "one hour of grace at launch; log objects are re-encrypted, those of part 2, too",
    )
    with demo.console.status("Waiting until the functions have read the new policy …"):
        time.sleep(REFRESH_SECONDS)
    cluster_id = demo.fixtures.launch("ad-hoc", LogEncryptionKmsKeyId=demo.keys.disabled)
    given = {cluster_id: Row("a disabled key, in grace period", "ad-hoc", "enforcement.scheduled")}
    demo.watch(given, lambda _, alerts: alerts[-1]["kind"] if alerts else "")
    exemption = {
        "cluster": {"id": cluster_id},
        "rules": ["EMRLOG-005"],
        "until": "2999-12-31",
        "reason": "moves to the new account",
        "approved_by": "security@example.com",
    }
    demo.set_policy(policy | {"exemptions": [exemption]})
    demo.step("Exempted", f"{cluster_id}, with `emr-log-guard exempt` or in the document")
    skipped = {cluster_id: Row("exempt during grace", "ad-hoc", "STARTING, skipped")}
    demo.watch(skipped, lambda cluster, alerts: _enforcement(demo, cluster, alerts))


def _reencrypt_it(demo: Demo) -> None:
    demo.part(
        "6. Re-encrypted: logs get the right key without ending the cluster",
        "The same policy. Clusters start with a wrong key or none, and write logs.",
        in_full="remediation.done",
    )
    bad = {"no key": None, "an AWS-managed key": demo.keys.aws_managed}
    clusters: dict[str, Row] = {}
    for title, key in bad.items():
        name = f"streaming-{len(clusters) + 1}"
        cluster_id = demo.fixtures.launch(name, LogEncryptionKmsKeyId=key)
        for log in LOGS:
            demo.fixtures.write_log(cluster_id, log, demo.keys.encrypt() if key else {})
        clusters[cluster_id] = Row(title, name, f"STARTING, {len(LOGS)} logs re-encrypted")
    demo.watch(clusters, lambda cluster_id, alerts: _reencrypted(demo, cluster_id, alerts))


def _reencrypted(demo: Demo, cluster_id: str, alerts: list[AlertMessage]) -> str:
    """The cluster's state, and how many of its log objects have the right key, once notified."""
    if not any(alert["kind"] == "remediation.done" for alert in alerts):
        return ""
    s3 = demo.account.client("s3")
    heads = [
        s3.head_object(Bucket=LOG_BUCKET, Key=f"clusters/{cluster_id}/{name}") for name in LOGS
    ]
    right = sum(head.get("SSEKMSKeyId") == demo.keys.approved for head in heads)
    return f"{demo.fixtures.state_of(cluster_id)}, {right} logs re-encrypted"


def _enforce_it(demo: Demo) -> str:
    """Return the id of the cluster that is terminated."""
    demo.part(
        "4. Enforced: a non-compliant cluster is terminated, a protected one is skipped",
        "The stack is redeployed with the permission to terminate clusters.",
    )
    demo.deploy(
        "Redeploying the stack: Mode=enforce, EnforcementAllowed=true",
        Mode="enforce",
        EnforcementAllowed="true",
    )
    fixtures, approved = demo.fixtures, demo.keys.approved
    bad = fixtures.launch("nightly-etl-again")
    protected = fixtures.launch(
        "month-end-close",
        Instances={"KeepJobFlowAliveWhenNoSteps": True, "TerminationProtected": True},
    )
    good = fixtures.launch("daily-report-again", LogEncryptionKmsKeyId=approved)
    demo.watch(
        {
            bad: Row("no key", "nightly-etl-again", "TERMINATED, reported"),
            protected: Row("no key, protected", "month-end-close", "STARTING, skipped"),
            good: Row("compliant", "daily-report-again", "STARTING, no alert"),
        },
        lambda cluster_id, alerts: _enforcement(demo, cluster_id, alerts),
    )
    return bad


def _enforcement(demo: Demo, cluster_id: str, alerts: list[AlertMessage]) -> str:
    """The cluster's state in EMR, and the enforcement that was reported."""
    words = {
        "enforcement.done": "reported",
        "enforcement.skipped": "skipped",
        "enforcement.failed": "failed",
    }
    ends = [words[alert["kind"]] for alert in alerts if alert["kind"] in words]
    checked = demo.function_logs.records(
        "check_cluster", message="cluster checked", cluster_id=cluster_id
    )
    if not checked:
        return ""
    outcome = ends[0] if ends else "no enforcement reported" if alerts else "no alert"
    return f"{demo.fixtures.state_of(cluster_id)}, {outcome}"


def _write_reports(demo: Demo, folder: Path, terminated: str) -> dict[str, Path]:
    """Leave an audit of the account and an explanation of a cluster, by what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    report, explanation = folder / "report.html", folder / "explain.txt"
    with demo.console.status("Auditing the account, and explaining a termination …"):
        demo.command("audit", "--format", "html", "--output", str(report))
        explanation.write_text(demo.command("explain", terminated))
    return {
        "the audit of this account, for a browser": report,
        f"why {terminated} was terminated (emr-log-guard explain)": explanation,
    }


def _sum_up(demo: Demo, seconds: float, written: Mapping[str, Path]) -> bool:
    rows, console = demo.rows, demo.console
    all_good = all(row.as_expected for row in rows)
    colour = "green" if all_good else "red"
    console.print()
    console.print(
        f"[bold {colour}]{_as_expected(rows)}[/] ({len(demo.inbox.alerts)} alerts, {seconds:.0f} s)"
    )
    for title, part in demo.parts.items():
        slowest = max((row.seconds or 0.0 for row in part), default=0.0)
        console.print(f"  {title.partition(':')[0]:<18} {_as_expected(part)}, in {slowest:.1f} s")
    for row in rows:
        if not row.as_expected:
            console.print(f"  [red]✗[/] {row.title}: expected {row.expected}, found {row.found}")
    console.print("Look at")
    for what, path in written.items():
        console.print(f"  {path.relative_to(deployment.ROOT)}  {what}", soft_wrap=True)
    console.print("  make demo VERBOSE=1  every alert in full")
    return all_good


def _as_expected(rows: list[Row]) -> str:
    return f"{sum(row.as_expected for row in rows)} of {len(rows)} outcomes as expected"
