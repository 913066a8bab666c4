import dataclasses
import json
from datetime import timedelta

import pytest

from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.domain.findings import Finding, Status
from emr_log_guard.rendering.alerts.alert_json import alert_json
from emr_log_guard.rendering.alerts.text import (
    _HEADLINES,
    alert_subject,
    alert_text,
    next_step_text,
)
from tests.unit.builders import ACCOUNT, CLUSTER_ID, NOW, REGION, a_cluster, a_finding, an_exemption
from tests.unit.notices import ALERTS, NOTICES, shown

DOUBT = a_finding(
    "EMRLOG-006", rule_name="log-key-approved", compliance=Compliance.INSUFFICIENT_DATA
)
DOUBT = dataclasses.replace(DOUBT, remediation="")
MEDIUM = a_finding("EMRLOG-007", rule_name="roles-can-use-log-key", severity=Severity.MEDIUM)

GOLDEN = """\
[HIGH] EMR cluster nightly-etl violates EMRLOG-002 log-key-configured
Account 111122223333, eu-west-1. Found 2026-03-14 15:09 UTC. \
No action on the cluster: the mode is alert.

Cluster      nightly-etl (j-2AXXXXXXGAPLF)
Console      https://eu-west-1.console.aws.amazon.com/emr/home?region=eu-west-1#/clusterDetails/j-2AXXXXXXGAPLF

EMRLOG-002 log-key-configured: HIGH
  What     logs go to s3n://example-logs/emr/ without a log encryption key
  Why      Without a log key, no key policy of yours limits or revokes access to the logs.
  Evidence log_uri: s3n://example-logs/emr/
  Fix      aws emr create-cluster
  Runbook  https://example.com/runbook
"""


NEVER_TOLD = {NextStep.TERMINATION_STARTED, NextStep.SKIPPED_IN_GRACE}
"""What `enforce` answers without an alert: one follows later."""


def an_alert(
    *findings: Finding,
    kind: AlertKind = AlertKind.FINDING_OPENED,
    step: NextStep = NextStep.NOTHING_IN_ALERT_MODE,
    name: str | None = "nightly-etl",
    arn: str = a_cluster().arn,
    detail: str = "",
) -> Alert:
    return Alert(kind, arn, name, findings or (a_finding(),), step, Mode.ALERT, detail)


def test_alert_text_equals_the_golden_text() -> None:
    assert alert_text(an_alert()) == GOLDEN


def test_undetermined_finding_is_reported_with_what_to_do() -> None:
    text = alert_text(an_alert(DOUBT))

    assert text.startswith(
        "[HIGH] EMR cluster nightly-etl: could not determine EMRLOG-006 log-key-approved\n"
    )
    assert "EMRLOG-006 log-key-approved: COULD NOT BE DETERMINED\n" in text
    assert "  Fix      # Let the guard read the missing fact" in text


def test_headline_names_a_violation_instead_of_an_undetermined_finding() -> None:
    assert alert_subject(an_alert(DOUBT, MEDIUM)) == (
        "[MEDIUM] EMR cluster nightly-etl violates EMRLOG-007 roles-can-use-log-key"
    )


def test_further_violations_are_counted_in_the_subject() -> None:
    assert alert_subject(an_alert(a_finding(), MEDIUM)).endswith("log-key-configured and 1 more")


def test_equal_evidence_is_shown_once() -> None:
    text = alert_text(an_alert(a_finding(), MEDIUM, DOUBT))

    assert text.count("log_uri: ") == 1
    assert text.count("  Evidence as for EMRLOG-002\n") == 2


def test_samples_are_listed_vertically_and_empty_evidence_is_omitted() -> None:
    finding = a_finding(evidence={"samples": ("s3://a", "s3://b"), "key": None, "undetermined": 0})

    assert "  Evidence samples: s3://a\n                    s3://b\n  Fix" in alert_text(
        an_alert(finding)
    )


def test_every_line_of_the_fix_is_shown() -> None:
    finding = dataclasses.replace(a_finding(), remediation="one\ntwo")

    assert "  Fix      one\n           two\n" in alert_text(an_alert(finding))


def test_launcher_of_the_cluster_is_shown_if_known() -> None:
    ours = "arn:aws:sts::111122223333:assumed-role/Data/ada"
    finding = dataclasses.replace(a_finding(), launched_by=ours)

    assert "Launched by  assumed-role/Data/ada\n" in alert_text(an_alert(finding))


def test_earliest_deadline_is_shown() -> None:
    alert = an_alert(
        a_finding(deadline=NOW + timedelta(hours=4)),
        a_finding("EMRLOG-003", deadline=NOW),
        step=NextStep.TERMINATION_SCHEDULED,
    )
    alert = dataclasses.replace(alert, stack="guard")

    assert "will be terminated at 2026-03-14 15:09:26 UTC, unless" in alert_text(alert)
    assert (
        f"emr-log-guard exempt --cluster {CLUSTER_ID} --rule EMRLOG-002 --rule EMRLOG-003 "
        "--stack guard --region eu-west-1 --until" in alert_text(alert)
    )
    assert "terminated now, unless" in alert_text(an_alert(step=NextStep.TERMINATION_REQUESTED))


@pytest.mark.parametrize(
    ("kind", "step", "headline", "next_step_text"),
    [
        ("done", NextStep.TERMINATED, "was terminated", "EMR terminated the cluster"),
        (
            "failed",
            NextStep.STILL_RUNNING,
            "is still running 15 minutes after its termination was requested",
            "terminate the cluster manually",
        ),
        (
            "skipped",
            NextStep.TERMINATION_CANCELLED,
            "will not be terminated",
            "will not be terminated: the policy no longer requires it.",
        ),
        ("scheduled", NextStep.TERMINATION_REQUESTED, "is about to be terminated", "re-evaluation"),
        (
            "skipped",
            NextStep.SKIPPED_PROTECTED,
            "was not terminated: it is termination-protected",
            "turn off its termination protection and terminate it manually",
        ),
        (
            "skipped",
            NextStep.SKIPPED_NO_LONGER_REQUIRED,
            "was not terminated: termination is no longer required",
            "keeps running",
        ),
        ("failed", NextStep.TERMINATION_REFUSED, "could not be terminated", "still running"),
    ],
)
def test_each_outcome_of_enforcement_has_its_headline_and_next_step(
    kind: str, step: NextStep, headline: str, next_step_text: str
) -> None:
    alert = an_alert(kind=AlertKind(f"enforcement.{kind}"), step=step, detail="EMR said so")
    text = alert_text(alert)

    assert alert_subject(alert) == f"[HIGH] EMR cluster nightly-etl {headline}"
    assert next_step_text in text.splitlines()[1]
    assert "Detail       EMR said so\n" in text


@pytest.mark.parametrize(
    "step", [each for each in NextStep if each not in NEVER_TOLD], ids=lambda step: step
)
def test_every_next_step_has_a_text(step: NextStep) -> None:
    assert "{" not in alert_text(an_alert(step=step))


@pytest.mark.parametrize(
    ("rules", "condition"),
    [
        (["EMRLOG-002"], "that is cancelled"),  # EMR cannot change the settings of the cluster
        (["EMRLOG-005"], "it is compliant or exempt"),
        (["EMRLOG-002", "EMRLOG-005"], "it is compliant or exempt"),
    ],
)
def test_scheduled_termination_says_what_prevents_it(rules: list[str], condition: str) -> None:
    due = (dataclasses.replace(a_finding(rule), deadline=NOW) for rule in rules)
    text = alert_text(an_alert(*due, step=NextStep.TERMINATION_SCHEDULED))

    assert f"15:09:26 UTC, unless {condition} by then." in text


def test_cluster_without_a_name_is_shown_by_its_id() -> None:
    text = alert_text(an_alert(name=None))

    assert "EMR cluster j-2AXXXXXXGAPLF violates" in text
    assert "Cluster      j-2AXXXXXXGAPLF\n" in text


@pytest.mark.parametrize(
    ("arn", "console"),
    [
        ("arn:aws-cn:elasticmapreduce:cn-north-1:1:cluster/j-1", "cn-north-1.console.amazonaws.cn"),
        ("arn:aws-us-gov:elasticmapreduce:us-gov-west-1:1:cluster/j-1", "amazonaws-us-gov.com"),
        ("j-1", "Account unknown, unknown. "),
    ],
)
def test_console_link_belongs_to_the_partition(arn: str, console: str) -> None:
    assert console in alert_text(an_alert(arn=arn))


def test_expired_exemption_is_in_text_and_json() -> None:
    alert = dataclasses.replace(an_alert(), expired_exemptions=(an_exemption(),))

    assert (
        "Exemption    expired on 2026-12-31, for *: moves to emr-7 in June "
        "(approved by security@example.com)\n"
    ) in alert_text(alert)
    assert alert_json(alert)["expired_exemptions"] == [
        {
            "cluster": {"id": CLUSTER_ID},
            "rules": ["*"],
            "until": "2026-12-31",
            "reason": "moves to emr-7 in June",
            "approved_by": "security@example.com",
        }
    ]


def test_subject_distinguishes_reopened_remaining_and_resolved_findings() -> None:
    finding = a_finding()

    assert "nightly-etl again violates" in alert_subject(an_alert(kind=AlertKind.FINDING_REOPENED))
    assert "nightly-etl still violates" in alert_subject(an_alert(kind=AlertKind.FINDING_REMINDER))
    resolved = an_alert(
        dataclasses.replace(finding, status=Status.RESOLVED),
        kind=AlertKind.FINDING_RESOLVED,
        step=NextStep.RESOLVED,
    )
    assert alert_subject(resolved).startswith("[RESOLVED] EMR cluster nightly-etl: EMRLOG-002")
    assert "  Was      logs go to" in alert_text(resolved)
    assert "  Fix " not in alert_text(resolved)


KEY = "key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("arn", "shown"),
    [
        (f"arn:aws:kms:eu-west-1:111122223333:{KEY}", KEY),
        (f"arn:aws:kms:us-east-1:111122223333:{KEY}", f"{KEY} (us-east-1)"),
        (f"arn:aws:kms:us-east-1:999988887777:{KEY}", f"{KEY} (999988887777, us-east-1)"),
        ("arn:aws-us-gov:iam::111122223333:role/emr/EMR_EC2", "role/emr/EMR_EC2"),
        ("arn:aws:iam::999988887777:user/ada@example.com", "user/ada@example.com (999988887777)"),
        ("arn:aws:s3:::example-logs/emr", "arn:aws:s3:::example-logs/emr"),
    ],
)
def test_arns_are_shortened_in_text_but_not_in_json_and_commands(arn: str, shown: str) -> None:
    finding = dataclasses.replace(
        a_finding(evidence={"log_key": arn, "samples": (f"a: {arn}, b", arn)}),
        summary=f"logs are encrypted with {arn}.",
        remediation=f"aws kms describe-key --key-id {arn}",
    )
    alert = an_alert(finding)
    text = alert_text(alert)

    assert f"  What     logs are encrypted with {shown}.\n" in text
    assert f"  Evidence log_key: {shown}\n           samples: a: {shown}, b\n" in text
    assert f"  Fix      aws kms describe-key --key-id {arn}\n" in text
    machine = alert_json(alert)["findings"]
    assert isinstance(machine, list)
    assert machine[0]["evidence"]["log_key"] == arn


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (kind, step)
        for kind in AlertKind
        for step in NextStep
        if kind.startswith(("finding", "enforcement"))
        and step not in NEVER_TOLD
        and kind.startswith("enforcement") == (step in _HEADLINES)
    ],
)
def test_first_two_lines_contain_severity_cluster_place_rule_time_and_next_step(
    kind: AlertKind, step: NextStep
) -> None:
    alert = an_alert(a_finding(deadline=NOW), kind=kind, step=step)
    first, second, blank, *_ = alert_text(alert).splitlines()

    assert first.startswith(
        ("[HIGH] EMR cluster nightly-etl", "[RESOLVED] EMR cluster nightly-etl")
    )
    assert second.startswith("Account 111122223333, eu-west-1. ")
    assert "EMRLOG-002 log-key-configured" in first + second
    assert "2026-03-14 15:09" in second
    assert second.endswith(next_step_text(alert, "2026-03-14 15:09:26 UTC"))
    assert len(first) <= 99
    assert len(second) <= 200
    assert not blank


def test_long_name_is_cut_before_the_announced_termination() -> None:
    alert = an_alert(
        a_finding(deadline=NOW),
        kind=AlertKind.ENFORCEMENT_SCHEDULED,
        step=NextStep.TERMINATION_SCHEDULED,
        name="x" * 256,
    )

    assert alert_subject(alert).endswith("x... will be terminated at 2026-03-14 15:09:26 UTC")
    assert len(alert_subject(alert)) == 99


@pytest.mark.parametrize(
    ("finding", "why"),
    [
        (dataclasses.replace(a_finding(), status=Status.EXEMPT), "it is exempt now"),
        (DOUBT, "the violation can no longer be confirmed"),
        (a_finding(), "the policy no longer requires it"),
    ],
)
def test_cancelled_termination_shows_its_reason(finding: Finding, why: str) -> None:
    alert = an_alert(
        finding, kind=AlertKind.ENFORCEMENT_SKIPPED, step=NextStep.TERMINATION_CANCELLED
    )

    assert alert_text(alert).splitlines()[1].endswith(f"The cluster will not be terminated: {why}.")


def test_alert_about_a_log_bucket_names_it_and_says_that_nothing_is_terminated() -> None:
    alert = ALERTS["bucket"]

    assert alert_text(alert).startswith(
        "[LOW] log bucket example-logs violates EMRLOG-009 log-bucket-sends-events\n"
        "Account 111122223333, eu-west-1. Found 2026-03-14 15:09 UTC. "
        "No cluster is terminated for this.\n\n"
        "Bucket       example-logs\n"
        "Console      https://eu-west-1.console.aws.amazon.com/s3/buckets/example-logs"
        "?region=eu-west-1&tab=properties\n\n"
    )
    resolved = dataclasses.replace(
        alert, kind=AlertKind.FINDING_RESOLVED, next_step=NextStep.RESOLVED
    )
    assert alert_text(resolved).startswith(
        "[RESOLVED] log bucket example-logs: EMRLOG-009 log-bucket-sends-events\n"
        "Account 111122223333, eu-west-1. Was open since 2026-03-14 15:09 UTC. "
        "No further action is needed.\n"
    )
    enforced = dataclasses.replace(alert, next_step=NextStep.NOTHING_ENFORCED)
    assert "Note" not in alert_text(enforced)


def test_json_of_a_bucket_alert_contains_account_region_and_bucket_arn() -> None:
    alert = ALERTS["bucket"]

    shown = alert_json(alert)

    assert {name: shown[name] for name in ("account", "region", "cluster_id", "cluster_arn")} == {
        "account": ACCOUNT,
        "region": REGION,
        "cluster_id": "arn:aws:s3:::example-logs",
        "cluster_arn": "arn:aws:s3:::example-logs",
    }


@pytest.mark.parametrize("status", [Status.OPEN, Status.RESOLVED])
def test_alert_of_reencrypted_logs_offers_no_fix_and_no_exemption(status: Status) -> None:
    alert = ALERTS["reencrypted"]
    alert = dataclasses.replace(
        alert, findings=(dataclasses.replace(alert.findings[0], status=status),)
    )
    text = alert_text(alert)

    assert text.startswith(
        "[RE-ENCRYPTED] logs of EMR cluster nightly-etl: EMRLOG-002 log-key-configured\n"
    )
    assert "No action is needed for these logs." in text.splitlines()[1]
    assert text.endswith(
        "EMRLOG-002 log-key-configured: RE-ENCRYPTED\n"
        "  Was      logs go to s3n://example-logs/emr/ without a log encryption key\n"
        "  Since    2026-03-11 15:09 UTC\n"
    )
    for chat in shown(NOTICES["reencrypted"]).values():
        assert "RE-ENCRYPTED  EMRLOG-002" in json.dumps(chat) or (
            "RE-ENCRYPTED EMRLOG-002" in json.dumps(chat)
        )
        for offer in ("exempt", "Fix", "create-cluster"):
            assert offer not in json.dumps(chat)
