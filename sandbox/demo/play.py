"""The acts of the demo, in the order of the seed: make it right, get it wrong, enforce it."""

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
from sandbox.demo.board import Row, board
from sandbox.demo.scenes import GONE_WRONG, Keys
from sandbox.estate import LOG_BUCKET, OTHER_ACCOUNT, OTHER_ACCOUNTS_BUCKET, Estate
from sandbox.inbox import AlertMessage, Inbox
from sandbox.journal import Journal
from sandbox.polling import wait_for

SECONDS = 90
"""How long an act may take before what is missing counts as not found."""
SETTLED_SECONDS = 4  # longer than judgements may come in either order (SKEW of the ledger)
"""How long all must have been as expected: what comes too much comes late."""
REFRESH_SECONDS = 31
"""After so long no function goes by an older policy when it checks a launch."""
PACE = EmrPace(launch=120, step=1, termination=1)
"""Clusters that stay STARTING for the length of an act: each is checked once, not four times."""
LOGS = ("node/i-0a1/daemons.log.gz", "steps/s-1/stderr.gz", "containers/c-1/stdout.gz")


class Demo:
    """A stack on an emulated account, its alerts, and a console to tell of them."""

    def __init__(self, console: Console, account: Sandbox) -> None:
        """Deploy the stack in mode alert, and subscribe to its alerts."""
        self.console = console
        self.account = account
        self.estate = Estate(account)
        self.keys = Keys.make(self.estate)
        self.rows: list[Row] = []
        self._told: set[tuple[str, str]] = set()
        outputs = self.deploy("Deploying the stack with the SAM CLI, IAM enforced", Mode="alert")
        self.policy_parameter = outputs["PolicyParameterName"]
        self.inbox = Inbox(account, outputs["AlertsTopicArn"])
        self.journal = Journal(account)

    def act_title(self, title: str, words: str) -> None:
        """Open an act: what is played, and what to look for."""
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
        """Tell of one step."""
        self.console.print(f"[bold]{title}[/]  {words}", soft_wrap=True)

    def act(
        self, title: str, clusters: dict[str, Row], found: Callable[[str, list[AlertMessage]], str]
    ) -> None:
        """Show the alerts and the table until every row has found something, or time is up.

        Args:
            title: the table's.
            clusters: the rows by cluster id.
            found: says what the alerts about a cluster amount to; empty while nothing does.
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
        """Print an alert as it was sent; one that repeats, as a line."""
        told = (alert["cluster_id"], alert["kind"])
        subject = Text(f"{alert['kind']}  {alert['subject']}")
        if told in self._told:
            self.console.print(Padding(Text.assemble("again: ", subject, style="dim"), (0, 2)))
            return
        self._told.add(told)
        colour = {"finding.opened": "yellow", "enforcement.done": "red"}.get(alert["kind"], "cyan")
        self.console.print(
            Panel(Text(alert["text"].strip()), title=Text(alert["kind"]), border_style=colour)
        )


@contextmanager
def working(console: Console, words: str) -> Iterator[None]:
    """Say what takes a while: with a spinner on a terminal, as a line elsewhere."""
    if console.is_terminal:
        with console.status(words):
            yield
    else:
        console.print(f"{words} …")
        yield


def play(console: Console) -> bool:
    """Play all acts; return whether every outcome was the expected one."""
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
    estate, console = demo.estate, demo.console
    demo.act_title(
        "1. Made right: the four steps of encrypted EMR logs",
        "Roles, a key, a cluster that names it, and the proof in the bucket.",
    )
    estate.make_roles()
    estate.make_role_without_key()
    demo.step("Roles   ", "EMR's may kms:DescribeKey, the nodes' may kms:GenerateDataKey")
    demo.step("Key     ", f"alias/emr-logs, customer-managed: {demo.keys.approved}")
    estate.make_log_bucket()
    cluster_id = estate.launch("daily-report", LogEncryptionKmsKeyId="alias/emr-logs")
    demo.step("Cluster ", f"daily-report ({cluster_id}), emr-7.12.0, logs to s3://{LOG_BUCKET}/")
    for name in LOGS:
        estate.write_log(cluster_id, name, demo.keys.encrypt(demo.keys.approved))
    demo.step("Proof   ", f"{len(LOGS)} log objects written, each is read and judged:")
    row = Row("made right", "daily-report", "COMPLIANT")
    demo.rows.append(row)
    with working(console, "Waiting for the verdicts"):
        row.note(wait_for(lambda: _verdict(demo.journal, cluster_id), seconds=SECONDS))
    if demo.inbox.about(cluster_id):
        row.note("an alert")
    if row.as_expected:
        demo.step("        ", "[green]✓ compliant: every log object carries the named key[/]")
    else:
        demo.step("        ", f"[red]✗ {row.found}[/]")


def _verdict(journal: Journal, cluster_id: str) -> str:
    """Say how the cluster and its log objects were judged; empty until all were."""
    checked = journal.entries("check_cluster", message="cluster checked", cluster_id=cluster_id)
    logs = journal.entries(
        "check_log_objects", message="log objects checked", cluster_id=cluster_id
    )
    if not checked or sum(entry["objects"] for entry in logs) < len(LOGS):
        return ""
    return " and ".join(sorted({entry["compliance"] for entry in (*checked, *logs)}))


def _get_it_wrong(demo: Demo) -> None:
    demo.act_title(
        "2. Gone wrong: each way to get a step wrong",
        "A cluster each, launched now. The guard runs in mode alert: it tells, and ends nothing.",
    )
    demo.estate.make_log_bucket(OTHER_ACCOUNTS_BUCKET, owner=OTHER_ACCOUNT)
    clusters = {
        scene.launch(demo.estate, demo.keys): Row(scene.title, scene.name, scene.rule or "")
        for scene in GONE_WRONG
    }
    demo.act("Gone wrong", clusters, lambda _, alerts: ", ".join(_rules(alerts)))


def _rules(alerts: list[AlertMessage]) -> list[str]:
    return sorted({finding["rule_id"] for alert in alerts for finding in alert["findings"]})


def _lose_the_key(demo: Demo) -> None:
    demo.act_title(
        "3. Lost: the key of a running cluster is disabled, and comes back",
        "The guard knows which clusters log with it, tells, and says when it is over.",
    )
    kms = demo.account.client("kms")
    cluster_id = demo.estate.launch("month-end", LogEncryptionKmsKeyId=demo.keys.approved)
    wait_for(
        lambda: demo.journal.entries(
            "check_cluster", message="cluster checked", cluster_id=cluster_id
        ),
        seconds=SECONDS,
    )
    kms.disable_key(KeyId="alias/emr-logs")
    demo.step("Disabled", "alias/emr-logs, by whoever may")
    lost = {cluster_id: Row("its key disabled", "month-end", "EMRLOG-201")}
    demo.act("Lost", lost, lambda _, alerts: ", ".join(_rules(alerts)))
    kms.enable_key(KeyId="alias/emr-logs")
    demo.step("Enabled ", "alias/emr-logs, by its owner")
    back = {cluster_id: Row("its key enabled again", "month-end", "finding.resolved")}
    demo.act("Back", back, lambda _, alerts: alerts[-1]["kind"] if alerts else "")


def _give_it_time(demo: Demo) -> None:
    demo.act_title(
        "5. In grace: time to put things right, or an exemption",
        "The policy is changed in SSM, without a deployment; what is open follows it.",
    )
    policy = demo.policy()
    policy["enforcement"] |= {"grace_at_launch_minutes": 60}
    demo.set_policy(policy)
    demo.step("Policy  ", "an hour for what opens while a cluster starts")
    with working(demo.console, "The functions go by a policy of at most half a minute ago"):
        time.sleep(REFRESH_SECONDS)
    cluster_id = demo.estate.launch("ad-hoc")
    given = {cluster_id: Row("without a key, in grace", "ad-hoc", "enforcement.scheduled")}
    demo.act("In grace", given, lambda _, alerts: alerts[-1]["kind"] if alerts else "")
    exemption = {
        "cluster": {"id": cluster_id},
        "rules": ["EMRLOG-002"],
        "until": "2999-12-31",
        "reason": "moves to the new account",
        "approved_by": "security@example.com",
    }
    demo.set_policy(policy | {"exemptions": [exemption]})
    demo.step("Exempted", f"{cluster_id}, by `emr-log-guard exempt` or in the document")
    spared = {cluster_id: Row("exempted in its grace", "ad-hoc", "STARTING, spared")}
    demo.act("Exempted", spared, lambda cluster, alerts: _fate(demo, cluster, alerts))


def _enforce_it(demo: Demo) -> None:
    demo.act_title(
        "4. Enforced: a bad cluster is ended, a protected one spared",
        "The stack is deployed again, now with the means to terminate.",
    )
    demo.deploy(
        "Deploying the stack again: Mode=enforce, EnforcementAllowed=true",
        Mode="enforce",
        EnforcementAllowed="true",
    )
    estate, approved = demo.estate, demo.keys.approved
    bad = estate.launch("nightly-etl-again")
    protected = estate.launch(
        "month-end-close",
        Instances={"KeepJobFlowAliveWhenNoSteps": True, "TerminationProtected": True},
    )
    good = estate.launch("daily-report-again", LogEncryptionKmsKeyId=approved)
    demo.act(
        "Enforced",
        {
            bad: Row("without a key", "nightly-etl-again", "TERMINATED, reported"),
            protected: Row("without a key, protected", "month-end-close", "STARTING, spared"),
            good: Row("made right", "daily-report-again", "STARTING, not a word"),
        },
        lambda cluster_id, alerts: _fate(demo, cluster_id, alerts),
    )


def _fate(demo: Demo, cluster_id: str, alerts: list[AlertMessage]) -> str:
    """Say what EMR says of the cluster's state, and what was told of its end."""
    words = {
        "enforcement.done": "reported",
        "enforcement.skipped": "spared",
        "enforcement.failed": "failed",
    }
    ends = [words[alert["kind"]] for alert in alerts if alert["kind"] in words]
    checked = demo.journal.entries(
        "check_cluster", message="cluster checked", cluster_id=cluster_id
    )
    if not checked:
        return ""
    told = ends[0] if ends else "reported without an end" if alerts else "not a word"
    return f"{demo.estate.state_of(cluster_id)}, {told}"


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
