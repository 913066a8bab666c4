import json

from emr_log_guard.domain.compliance import Mode
from emr_log_guard.domain.decide import Alert, AlertKind, NextStep
from emr_log_guard.rendering.alerts.alert_json import alert_attributes, alert_json, alert_messages
from tests.unit.builders import NOW, a_cluster, a_finding

ARN = a_cluster().arn
ALERT = Alert(
    AlertKind.FINDING_OPENED,
    ARN,
    "nightly-etl",
    (a_finding(deadline=NOW),),
    NextStep.NOTHING_IN_ALERT_MODE,
    Mode.ALERT,
    cluster_tags={"team": "data"},
    stack="guard",
)
BARE = Alert(AlertKind.ENFORCEMENT_DONE, ARN, None, (), NextStep.CLUSTER_TERMINATED, Mode.ENFORCE)


def test_alert_json_has_every_field_of_its_schema() -> None:
    alert = json.loads(json.dumps(alert_json(ALERT)))
    (finding,) = alert.pop("findings")

    assert alert.pop("text").startswith(alert.pop("subject"))
    assert alert == {
        "schema": "emr-log-guard/alert/1",
        "id": "",
        "kind": "finding.opened",
        "stack": "guard",
        "account": "111122223333",
        "region": "eu-west-1",
        "cluster_id": "j-2AXXXXXXGAPLF",
        "cluster_name": "nightly-etl",
        "cluster_arn": ARN,
        "mode": "alert",
        "next_step": "nothing_in_alert_mode",
        "detail": "",
        "expired_exemptions": [],
        "cluster_tags": {"team": "data"},
    }
    assert finding == {
        "id": f"{ARN}#EMRLOG-002",
        "rule_id": "EMRLOG-002",
        "rule_name": "log-key-configured",
        "compliance": "NON_COMPLIANT",
        "severity": "HIGH",
        "status": "OPEN",
        "account": "111122223333",
        "region": "eu-west-1",
        "cluster_id": "j-2AXXXXXXGAPLF",
        "cluster_name": "nightly-etl",
        "cluster_arn": ARN,
        "launched_by": None,
        "summary": "logs go to s3n://example-logs/emr/ without a log encryption key",
        "evidence": {"log_uri": "s3n://example-logs/emr/"},
        "remediation": "aws emr create-cluster",
        "first_seen": "2026-03-14T15:09:26Z",
        "last_seen": "2026-03-14T15:09:26Z",
        "occurrences": 1,
        "deadline": "2026-03-14T15:09:26Z",
        "runbook": "https://example.com/runbook",
    }


def test_email_gets_text_and_other_protocols_get_json() -> None:
    message = json.loads(alert_messages(ALERT))

    assert message["default"] == message["email"] == alert_json(ALERT)["text"]
    for protocol in ("sqs", "lambda", "http", "https"):
        assert json.loads(message[protocol])["kind"] == "finding.opened"


def test_message_attributes_without_a_value_are_omitted() -> None:
    assert alert_attributes(BARE) == {
        "kind": "enforcement.done",
        "account": "111122223333",
        "region": "eu-west-1",
    }
    assert set(alert_attributes(ALERT)) == {"kind", "account", "region", "severity", "rule_id"}
