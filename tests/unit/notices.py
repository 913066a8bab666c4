"""Alerts of every kind, as they are published and as they are read again.

`PYTHONPATH=layers/emr_log_guard python -m tests.unit.notices` regenerates what chat shows of them:
look at the difference.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.domain.findings import Status
from emr_log_guard.domain.policy import PolicyChange, PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert, RescanCounts, RescanDone
from emr_log_guard.events.sns import parse_alerts
from emr_log_guard.rendering.alerts.alert_json import alert_messages
from emr_log_guard.rendering.alerts.amazon_q import amazon_q_message
from emr_log_guard.rendering.alerts.policy import change_messages, policy_messages
from emr_log_guard.rendering.alerts.rescan import rescan_messages
from emr_log_guard.rendering.alerts.slack import slack_message
from tests.unit.builders import (
    ACCOUNT,
    KEY,
    NOW,
    REGION,
    a_bucket_finding,
    a_cluster,
    a_finding,
    an_exemption,
)
from tests.unit.rendering.reports.test_rescan import REPORT

GOLDEN = Path(__file__).parent / "rendering" / "golden"
HOSTILE = "<!channel> *x* `y` ```z``` <https://evil.example|here> &amp; @here\n\u202e# a"


@dataclass(frozen=True)
class Published:
    """An alert, and its message of `MessageStructure=json`."""

    about: Alert | PolicyProblem | RescanDone | None
    """As it is read again; None where only its text is."""
    message: str

    @property
    def notice(self) -> PublishedAlert:
        """Read it as a chat's function does."""
        (notice,) = parse_alerts(delivery(self.message))
        return notice


def delivery(message: str) -> dict[str, Any]:
    """Have SNS deliver a message to a function."""
    return {"Records": [{"Sns": {"MessageId": "m", "Message": json.loads(message)["lambda"]}}]}


KEYLESS = replace(
    a_finding(
        evidence={"log_uri": "s3://example-logs/emr/", "samples": ("one", "two"), "key": None},
        remediation="# Relaunch it:\naws emr create-cluster --name nightly-etl",
    ),
    launched_by=f"arn:aws:iam::{ACCOUNT}:user/ada",
)
SINCE = NOW - timedelta(days=3)
OLD = replace(KEYLESS, first_seen=SINCE, occurrences=7)
DOUBT = replace(
    KEYLESS,
    rule_id="EMRLOG-006",
    rule_name="log-key-approved",
    severity=Severity.CRITICAL,
    compliance=Compliance.INSUFFICIENT_DATA,
    summary="kms:DescribeKey on alias/emr-logs answered AccessDeniedException",
    remediation="",
    runbook="docs/runbooks/EMRLOG-006.md",
)
DEADLINE = NOW + timedelta(hours=4)
DUE = replace(OLD, deadline=DEADLINE)
A_BUCKET = a_bucket_finding()


def an_alert(kind: AlertKind, step: NextStep, *findings: Any, **more: Any) -> Alert:  # noqa: ANN401
    """Make an alert about the usual cluster."""
    arn = a_cluster().arn
    return Alert(
        kind, arn, "nightly-etl", findings, step, Mode.ALERT, stack="emr-log-guard", **more
    )


ALERTS: Mapping[str, Alert] = {
    "opened": an_alert(
        AlertKind.FINDING_OPENED,
        NextStep.NOTHING_IN_ALERT_MODE,
        DOUBT,
        KEYLESS,
        replace(KEYLESS, rule_id="EMRLOG-012", severity=Severity.LOW),
        cluster_tags={"team": "data"},
        expired_exemptions=(replace(an_exemption(), until=date(2026, 3, 1)),),
    ),
    "reopened": an_alert(AlertKind.FINDING_REOPENED, NextStep.NOTHING_ENFORCED, OLD),
    "reminder": an_alert(AlertKind.FINDING_REMINDER, NextStep.NOTHING_ALLOWED_IN_STACK, OLD),
    "resolved": an_alert(
        AlertKind.FINDING_RESOLVED, NextStep.RESOLVED, replace(OLD, status=Status.RESOLVED)
    ),
    "ended": an_alert(
        AlertKind.FINDING_RESOLVED,
        NextStep.CLUSTER_TERMINATED,
        replace(OLD, status=Status.RESOLVED),
        detail="The cluster is TERMINATED.",
    ),
    "scheduled": an_alert(AlertKind.ENFORCEMENT_SCHEDULED, NextStep.TERMINATION_SCHEDULED, DUE),
    "requested": an_alert(AlertKind.FINDING_OPENED, NextStep.TERMINATION_REQUESTED, KEYLESS),
    "cancelled": an_alert(
        AlertKind.ENFORCEMENT_SKIPPED, NextStep.TERMINATION_CANCELLED, replace(OLD, deadline=None)
    ),
    "skipped": an_alert(AlertKind.ENFORCEMENT_SKIPPED, NextStep.SKIPPED_PROTECTED, OLD),
    "done": an_alert(AlertKind.ENFORCEMENT_DONE, NextStep.TERMINATED, OLD),
    "failed": an_alert(
        AlertKind.ENFORCEMENT_FAILED,
        NextStep.TERMINATION_REFUSED,
        OLD,
        detail="ValidationException: it is protected",
    ),
    "reencrypted": an_alert(
        AlertKind.REMEDIATION_DONE,
        NextStep.LOGS_REENCRYPTED,
        OLD,  # more may be left
        detail=f"7 log objects were re-encrypted so far: 7 from SSE-S3, with {KEY.arn}.",
    ),
    "not-reencrypted": an_alert(
        AlertKind.REMEDIATION_FAILED,
        NextStep.LOGS_NOT_REENCRYPTED,
        OLD,
        detail="Why they are not re-encrypted, and what to do: it is not encrypted: copy.",
    ),
    "without-findings": an_alert(AlertKind.ENFORCEMENT_DONE, NextStep.TERMINATED),
    "nameless": replace(
        an_alert(AlertKind.FINDING_OPENED, NextStep.NOTHING_ENFORCED, KEYLESS), cluster_name=None
    ),
    "hostile": replace(
        an_alert(
            AlertKind.FINDING_OPENED,
            NextStep.NOTHING_ENFORCED,
            replace(
                KEYLESS,
                cluster_name=HOSTILE,
                summary=HOSTILE,
                evidence={"log_uri": HOSTILE, "samples": (HOSTILE,) * 2},
                remediation=f"aws emr create-cluster --name '{HOSTILE}'",
                launched_by=HOSTILE,
                runbook=HOSTILE,
            ),
            detail=HOSTILE,
            expired_exemptions=(replace(an_exemption(), reason=HOSTILE, approved_by=HOSTILE),),
        ),
        cluster_name=HOSTILE,
    ),
    "bucket": Alert(
        AlertKind.FINDING_OPENED,
        A_BUCKET.cluster_arn,
        None,
        (A_BUCKET,),
        NextStep.NOTHING_IN_ALERT_MODE,
        Mode.ALERT,
        stack="emr-log-guard",
    ),
    "endless": replace(
        an_alert(
            AlertKind.FINDING_OPENED,
            NextStep.NOTHING_ENFORCED,
            *(
                replace(
                    KEYLESS,
                    rule_id=f"EMRLOG-{number:03}",
                    summary=f"{number}" * 2_000,
                    evidence={"samples": (f"{number}" * 500,) * 5},
                    remediation=f"aws {number} " + "x" * 2_800,
                )
                for number in range(1, 9)
            ),
        ),
        cluster_name="x" * 256,
    ),
}
INVALID = PolicyProblem("/emr-log-guard/prod/policy", 7, ("mode: write one of …", HOSTILE))
UNREADABLE = PolicyProblem(
    "/emr-log-guard/prod/policy", None, ("ssm:GetParameter answered AccessDeniedException",)
)
MISSING_KEY = PolicyProblem(
    "/emr-log-guard/prod/policy",
    7,
    ("approved_keys[1]: alias/logs does not exist (KMS answered NotFoundException); correct it",),
    in_force=True,
)
CHANGED = PolicyChange(
    id="6a1f6a52",
    parameter="/emr-log-guard/prod/policy",
    version=8,
    changed_at=NOW,
    changed_by=f"arn:aws:sts::{ACCOUNT}:assumed-role/security/{HOSTILE}",
    changes=('-  "mode": "alert"', f'+  "mode": "{HOSTILE}"'),
)
PLACE = {"account": ACCOUNT, "region": REGION}
_DIFFERENCE = REPORT.difference
RESCAN = RescanDone(
    REPORT.rescan.execution,
    REPORT.compliance,
    REPORT.place,
    RescanCounts(
        len(_DIFFERENCE.new),
        len(_DIFFERENCE.resolved),
        len(_DIFFERENCE.undetermined),
        len(REPORT.failed),
    ),
)
PUBLISHED: Mapping[str, Published] = {
    **{name: Published(alert, alert_messages(alert)) for name, alert in ALERTS.items()},
    "policy-invalid": Published(INVALID, policy_messages(INVALID, PLACE)),
    "policy-unreadable": Published(UNREADABLE, policy_messages(UNREADABLE, PLACE)),
    "policy-missing-key": Published(MISSING_KEY, policy_messages(MISSING_KEY, PLACE)),
    "policy-changed": Published(None, change_messages(CHANGED, "emr-log-guard", PLACE)),
    "rescan": Published(RESCAN, rescan_messages(REPORT)),
}
PLAIN = PublishedAlert(subject="[HIGH] something new", text="[HIGH] something new\n\nmore of it\n")
"""An alert of a kind that this version does not know."""
NOTICES: Mapping[str, PublishedAlert] = {
    **{name: published.notice for name, published in PUBLISHED.items()},
    "unknown": PLAIN,
}


def shown(notice: PublishedAlert) -> dict[str, Any]:
    """Render a notice for each chat."""
    return {"slack": slack_message(notice), "amazon_q": json.loads(amazon_q_message(notice))}


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, notice in NOTICES.items():
        text = json.dumps(shown(notice), indent=2, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(text + "\n")
