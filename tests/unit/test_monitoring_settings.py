"""What DescribeCluster may say of a cluster's monitoring, and what is made of it."""

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.domain.policy import Policy, RuleSettings
from emr_log_guard.rules import CLUSTER_RULES
from emr_log_guard.rules.evaluation import enabled_rules
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from tests.unit.builders import CLUSTER_ID, a_cluster, a_key
from tests.unit.fakes import FakeKeys

KEY = a_key(arn="arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555")
POLICY = Policy(rules={"EMRLOG-012": RuleSettings(enabled=True)})
EACH_TYPE = ("system-logs", "application-logs", "persistent-ui-logs")


def results(**settings: Any) -> dict[str, str]:  # noqa: ANN401 - as EMR answers
    """Evaluate a running cluster with these settings by every rule."""
    described = {
        "Id": CLUSTER_ID,
        "Name": "nightly-etl",
        "ClusterArn": a_cluster().arn,
        "Status": {"State": "RUNNING"},
        "ReleaseLabel": "emr-7.13.0",
        "LogUri": "s3n://amzn-s3-demo-emr-logs/logs/",
        "ServiceRole": "EMR_DefaultRole",
        "Ec2InstanceAttributes": {"IamInstanceProfile": "EMR_EC2_DefaultRole"},
        "TerminationProtected": False,
        "Tags": [],
    }
    client = boto3.client("emr")
    answer = json.loads(json.dumps({"Cluster": described | settings}))

    def respond(**_: object) -> Any:  # noqa: ANN401 - botocore's
        return AWSResponse("https://emr.invalid", 200, HTTPHeaders(), None), answer

    client.meta.events.register_first("before-call.emr.DescribeCluster", respond)
    cluster = EmrClusters(client).describe(CLUSTER_ID)
    rules = enabled_rules(CLUSTER_RULES, POLICY)
    keys = FakeKeys()
    keys.facts = {KEY.arn: KEY}
    facts = ReadClusterFacts(keys)(cluster)
    return {rule.id: rule.check(facts).compliance.value for rule in rules}


def test_log_uri_with_all_log_types_disabled_violates_emrlog_001() -> None:
    disabled = {"LogTypeUploadPolicy": dict.fromkeys(EACH_TYPE, "disabled")}

    found = results(MonitoringConfiguration={"S3LoggingConfiguration": disabled})

    assert found.pop("EMRLOG-001") == "NON_COMPLIANT"
    assert found.pop("EMRLOG-012") == "COMPLIANT"
    assert set(found.values()) == {"NOT_APPLICABLE"}


@pytest.mark.parametrize(
    "monitoring",
    [
        {},
        {"S3LoggingConfiguration": {}},
        {
            "CloudWatchLogConfiguration": {"Enabled": False, "EncryptionKeyArn": KEY.arn},
            "S3LoggingConfiguration": {
                "LogTypeUploadPolicy": dict.fromkeys(EACH_TYPE, "emr-managed")
            },
        },
        None,
        {"CloudWatchLogConfiguration": {}},
        {"CloudWatchLogConfiguration": None, "S3LoggingConfiguration": None},
        {"S3LoggingConfiguration": {"LogTypeUploadPolicy": None}},
        {"S3LoggingConfiguration": {"LogTypeUploadPolicy": dict.fromkeys(EACH_TYPE)}},
    ],
)
def test_empty_monitoring_configuration_means_the_default(
    monitoring: dict[str, Any] | None,
) -> None:
    found = results(LogEncryptionKmsKeyId=KEY.arn, MonitoringConfiguration=monitoring)

    assert found["EMRLOG-001"] == found["EMRLOG-002"] == "COMPLIANT"
    assert found["EMRLOG-010"] == "NOT_APPLICABLE"
    assert found["EMRLOG-012"] == "NON_COMPLIANT"
