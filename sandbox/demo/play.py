"""The acts of the demo, in the order of the seed: correct setups, mistakes, enforcement."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from sandbox import EmrPace, Sandbox, deployment
from sandbox.alert_inbox import AlertInbox, AlertMessage
from sandbox.demo.board import Row, board
from sandbox.demo.scenarios import GONE_WRONG, Keys
from sandbox.fixtures import LOG_BUCKET, OTHER_ACCOUNT, OTHER_ACCOUNTS_BUCKET, Fixtures
from sandbox.function_logs import Journal
from sandbox.polling import wait_for

SECONDS = 90
"""The time limit of an act; outcomes that are missing after it count as missing."""
SETTLED_SECONDS = 4  # longer than checks can overtake each other (SKEW of the records)
"""How long all outcomes must stay as expected: surplus alerts arrive late."""
REFRESH_SECONDS = 31
"""After this many seconds, no function uses an outdated policy to check a launch."""
PACE = EmrPace(launch=120, step=1, termination=1)
"""Clusters stay STARTING for the length of an act, so each is checked once, not four times."""
LOGS = ("node/i-0a1/daemons.log.gz", "steps/s-1/stderr.gz", "containers/c-1/stdout.gz")


class Demo:
    """A stack on an emulated account, its alerts, and a console for the output."""

    def __init__(self, console: Console, account: Sandbox) -> None:
        """Deploy the stack in `alert` mode, and subscribe to its alerts."""
        self.console = console
        self.account = account
        self.fixtures = Fixtures(account)
        self.keys = Keys.make(self.fixtures)
        self.rows: list[Row] = []
        self._shown: set[tuple[str, str]] = set()
        outputs = self.deploy("Deploying the stack with the SAM CLI, IAM enforced", Mode="alert")
        self.policy_parameter = outputs["PolicyParameterName"]
        self.inbox = AlertInbox(account, outputs["AlertsTopicArn"])
        self.journal = Journal(account)

    def act_title(self, title: str, words: str) -> None:
        """Print an act's title and its description."""
        self.console.print()
        self.console.print(Rule(title, align="left"))
        self.console.print(words, soft_wrap=True)

    def deploy(self, words: str, **parameters: str) -> dict[str, str]:
        """Deploy the stack with the approved keys and these parameters; return its outputs."""
        with working(self.console, words):
            return self.account.deploy({"ApprovedKeys": self.keys.approved_list, **parameters})

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

    def step(self, title: str, words: str) -> None:
        """Print one step."""
        self.console.print(f"[bold]{title}[/]  {words}", soft_wrap=True)

    def act(
        self, title: str, clusters: dict[str, Row], found: Callable[[str, list[AlertMessage]], str]
    ) -> None:
        """Show the alerts and the table until every outcome is as expected, or the time is up.

        Args:
            title: the table's title.
            clusters: the rows by cluster id.
            found: the outcome according to the alerts about a cluster; empty if there is none yet.
        """
        rows = list(clusters.values())
        self.rows += rows
        deadline, settled = time.monotonic() + SECONDS, None
        with Live(board(title, rows), console=self.console, refresh_per_second=8) as live:
            while time.monotonic() < deadline:
                for alert in self.inbox.receive():
                    self._show(alert)
                for cluster_id, row in clusters.items():
                    about = [a for a in self.inbox.alerts if a["cluster_id"] == cluster_id]
                    if word := found(cluster_id, about):
                        row.note(word)
                live.update(board(title, rows))
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
            live.update(board(title, rows))

    def _show(self, alert: AlertMessage) -> None:
        """Print an alert as it was sent; print a repeated one as a single line."""
        shown = (alert["cluster_id"], alert["kind"])
        subject = Text(f"{alert['kind']}  {alert['subject']}")
        if shown in self._shown:
            self.console.print(Padding(Text.assemble("again: ", subject, style="dim"), (0, 2)))
            return
        self._shown.add(shown)
        colour = {"finding.opened": "yellow", "enforcement.done": "red"}.get(alert["kind"], "cyan")
        self.console.print(
            Panel(Text(alert["text"].strip()), title=Text(alert["kind"]), border_style=colour)
        )


@contextmanager
def working(console: Console, words: str) -> Iterator[None]:
    """Show progress: a spinner on a terminal, a line elsewhere."""
    if console.is_terminal:
        with console.status(words):
            yield
    else:
        console.print(f"{words} …")
        yield


def play(console: Console) -> bool:
    """Play all acts; return whether every outcome is the expected one."""
    began = time.monotonic()
    with working(console, "Building the stack with the SAM CLI"):
        deployment.build()
    with working(console, "Starting an AWS account on this machine"):
        account = Sandbox.start(emr=PACE)
    with account:
        demo = Demo(console, account)
        _make_it_right(demo)
        _get_it_wrong(demo)
        _lose_the_key(demo)
        _enforce_it(demo)
        _give_it_time(demo)
        return _sum_up(demo, time.monotonic() - began)


def _make_it_right(demo: Demo) -> None:
    fixtures, console = demo.fixtures, demo.console
    demo.act_title(
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
    demo.rows.append(row)
    with working(console, "Waiting for the results"):
        row.note(wait_for(lambda: _verdict(demo.journal, cluster_id), seconds=SECONDS))
    if demo.inbox.about(cluster_id):
        row.note("an alert")
    if row.as_expected:
        demo.step(
            "        ",
            "[green]✓ compliant: every log object is encrypted with the cluster's key[/]",
        )
    else:
        demo.step("        ", f"[red]✗ {row.found}[/]")


def _verdict(journal: Journal, cluster_id: str) -> str:
    """The compliance of the cluster and its log objects; empty until all are checked."""
    checked = journal.records("check_cluster", message="cluster checked", cluster_id=cluster_id)
    logs = journal.records(
        "check_log_objects", message="log objects checked", cluster_id=cluster_id
    )
    if not checked or sum(record["objects"] for record in logs) < len(LOGS):
        return ""
    return " and ".join(sorted({record["compliance"] for record in (*checked, *logs)}))


def _get_it_wrong(demo: Demo) -> None:
    demo.act_title(
        "2. Non-compliant: each mistake in a step",
        "One cluster per mistake. In alert mode, the guard notifies and terminates nothing.",
    )
    demo.fixtures.make_log_bucket(OTHER_ACCOUNTS_BUCKET, owner=OTHER_ACCOUNT)
    clusters = {
        scene.launch(demo.fixtures, demo.keys): Row(scene.title, scene.name, scene.rule or "")
        for scene in GONE_WRONG
    }
    demo.act("Non-compliant", clusters, lambda _, alerts: ", ".join(_rules(alerts)))


def _rules(alerts: list[AlertMessage]) -> list[str]:
    return sorted({finding["rule_id"] for alert in alerts for finding in alert["findings"]})


def _lose_the_key(demo: Demo) -> None:
    demo.act_title(
        "3. Key lost: the key of a running cluster is disabled, then enabled again",
        "The guard knows which clusters use the key, alerts, and resolves the finding.",
    )
    kms = demo.account.client("kms")
    cluster_id = demo.fixtures.launch("month-end", LogEncryptionKmsKeyId=demo.keys.approved)
    wait_for(
        lambda: demo.journal.records(
            "check_cluster", message="cluster checked", cluster_id=cluster_id
        ),
        seconds=SECONDS,
    )
    kms.disable_key(KeyId="alias/emr-logs")
    demo.step("Disabled", "alias/emr-logs, by a key administrator")
    lost = {cluster_id: Row("its key disabled", "month-end", "EMRLOG-201")}
    demo.act("Key disabled", lost, lambda _, alerts: ", ".join(_rules(alerts)))
    kms.enable_key(KeyId="alias/emr-logs")
    demo.step("Enabled ", "alias/emr-logs, by the key's owner")
    back = {cluster_id: Row("its key enabled again", "month-end", "finding.resolved")}
    demo.act("Key enabled", back, lambda _, alerts: alerts[-1]["kind"] if alerts else "")


def _give_it_time(demo: Demo) -> None:
    demo.act_title(
        "5. Grace period: time for a fix or an exemption",
        "The policy is changed in SSM, without a deployment, and applies to open findings.",
    )
    policy = demo.policy()
    policy["enforcement"] |= {"grace_at_launch_minutes": 60}
    demo.set_policy(policy)
    demo.step("Policy  ", "one hour of grace for findings opened while a cluster starts")
    with working(demo.console, "Waiting until the functions have read the new policy"):
        time.sleep(REFRESH_SECONDS)
    cluster_id = demo.fixtures.launch("ad-hoc")
    given = {cluster_id: Row("no key, in grace period", "ad-hoc", "enforcement.scheduled")}
    demo.act("Grace period", given, lambda _, alerts: alerts[-1]["kind"] if alerts else "")
    exemption = {
        "cluster": {"id": cluster_id},
        "rules": ["EMRLOG-002"],
        "until": "2999-12-31",
        "reason": "moves to the new account",
        "approved_by": "security@example.com",
    }
    demo.set_policy(policy | {"exemptions": [exemption]})
    demo.step("Exempted", f"{cluster_id}, with `emr-log-guard exempt` or in the document")
    skipped = {cluster_id: Row("exempt during grace", "ad-hoc", "STARTING, skipped")}
    demo.act("Exempted", skipped, lambda cluster, alerts: _enforcement(demo, cluster, alerts))


def _enforce_it(demo: Demo) -> None:
    demo.act_title(
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
    demo.act(
        "Enforced",
        {
            bad: Row("no key", "nightly-etl-again", "TERMINATED, reported"),
            protected: Row("no key, protected", "month-end-close", "STARTING, skipped"),
            good: Row("compliant", "daily-report-again", "STARTING, no alert"),
        },
        lambda cluster_id, alerts: _enforcement(demo, cluster_id, alerts),
    )


def _enforcement(demo: Demo, cluster_id: str, alerts: list[AlertMessage]) -> str:
    """The cluster's state in EMR, and the enforcement that was reported."""
    words = {
        "enforcement.done": "reported",
        "enforcement.skipped": "skipped",
        "enforcement.failed": "failed",
    }
    ends = [words[alert["kind"]] for alert in alerts if alert["kind"] in words]
    checked = demo.journal.records(
        "check_cluster", message="cluster checked", cluster_id=cluster_id
    )
    if not checked:
        return ""
    outcome = ends[0] if ends else "no enforcement reported" if alerts else "no alert"
    return f"{demo.fixtures.state_of(cluster_id)}, {outcome}"


def _sum_up(demo: Demo, seconds: float) -> bool:
    good = sum(row.as_expected for row in demo.rows)
    all_good = good == len(demo.rows)
    colour = "green" if all_good else "red"
    demo.console.print()
    demo.console.print(
        f"[bold {colour}]{good} of {len(demo.rows)} outcomes as expected[/] "
        f"({len(demo.inbox.alerts)} alerts, {seconds:.0f} s)"
    )
    for row in demo.rows:
        if not row.as_expected:
            demo.console.print(f"  {row.title}: expected {row.expected}, found {row.found}")
    return all_good
