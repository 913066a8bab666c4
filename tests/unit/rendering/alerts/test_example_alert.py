import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emr_log_guard.domain.clusters import BucketOwnership, Cluster, ClusterFacts, LogBucket
from emr_log_guard.domain.decide import Alert, decide
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rendering.alerts.alert_json import alert_attributes, alert_json
from emr_log_guard.rendering.alerts.text import alert_subject, alert_text
from emr_log_guard.rules import CLUSTER_RULES
from emr_log_guard.rules.evaluation import EvaluationContext, Subject, cluster_findings

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "events" / "sns-alert.json"


def example() -> Any:  # noqa: ANN401 - JSON
    """What SNS delivers of an alert, as it stands in events/."""
    return json.loads(EXAMPLE.read_text())


def alert() -> Alert:
    """Evaluate the example's cluster: it logs without a key."""
    now = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
    cluster = Cluster(
        id="j-2AXXXXXXGAPLF",
        arn="arn:aws:elasticmapreduce:eu-west-1:111122223333:cluster/j-2AXXXXXXGAPLF",
        name="nightly-etl",
        state="RUNNING",
        log_uri="s3n://example-logs/emr/",
        release_label="emr-7.12.0",
    )
    context = EvaluationContext(
        Policy(), now, lambda rule_id: f"https://runbooks.example.com/{rule_id}.md"
    )
    owned = BucketOwnership("111122223333", "eu-west-1")
    bucket = LogBucket("example-logs", sends_events=True, ownership=owned)
    facts = ClusterFacts(cluster, log_buckets=(bucket,))
    findings = cluster_findings(Subject.of(facts.cluster), facts, CLUSTER_RULES, context)
    [action] = decide(findings, cluster, Policy(), now, {})
    assert isinstance(action, Alert)
    return replace(action, id="5f6c1b0e-8b1e-5d0a-9b3c-3d1f5f1f8a11", stack="emr-log-guard")


def test_example_alert_equals_a_rendered_alert() -> None:
    sent = example()["Records"][0]["Sns"]

    assert json.loads(sent["Message"]) == json.loads(json.dumps(alert_json(alert())))
    assert sent["Subject"] == alert_subject(alert())
    assert {name: value["Value"] for name, value in sent["MessageAttributes"].items()} == dict(
        alert_attributes(alert())
    )


def test_readme_shows_the_rendered_alert_of_a_cluster_without_a_key() -> None:
    """The default policy has EMRLOG-012, which the example also violates, disabled."""
    keyless = replace(alert(), findings=alert().findings[:1])
    _, _, shown = (ROOT / "README.md").read_text().partition("\n```text\n")

    assert shown.partition("```\n")[0] == alert_text(keyless)


def test_readme_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
