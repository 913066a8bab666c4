import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox


@pytest.fixture(scope="module")
def cluster_ids(sandbox: Sandbox) -> list[str]:
    emr = sandbox.client("emr")
    return [
        emr.run_job_flow(
            Name=name, ReleaseLabel="emr-7.12.0", Instances={"KeepJobFlowAliveWhenNoSteps": True}
        )["JobFlowId"]
        for name in ("mine", "theirs")
    ]


@pytest.fixture(scope="module")
def terminator(sandbox: Sandbox, cluster_ids: list[str]) -> Any:  # noqa: ANN401 - a boto3 client
    iam = sandbox.client("iam")
    iam.create_user(UserName="terminator")
    statement = {
        "Effect": "Allow",
        "Action": [
            "elasticmapreduce:TerminateJobFlows",
            "elasticmapreduce:SetTerminationProtection",
        ],
        "Resource": f"arn:aws:elasticmapreduce:us-east-1:111122223333:cluster/{cluster_ids[0]}",
    }
    iam.put_user_policy(
        UserName="terminator",
        PolicyName="one-cluster",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    key = iam.create_access_key(UserName="terminator")["AccessKey"]
    return sandbox.client(
        "emr",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def test_policy_for_a_cluster_arn_allows_actions_on_it(
    terminator: Any,  # noqa: ANN401
    cluster_ids: list[str],
) -> None:
    terminator.set_termination_protection(JobFlowIds=cluster_ids[:1], TerminationProtected=False)
    terminator.terminate_job_flows(JobFlowIds=cluster_ids[:1])


@pytest.mark.parametrize("call", ["terminate_job_flows", "set_termination_protection"])
def test_policy_for_a_cluster_arn_denies_actions_on_another_cluster(
    terminator: Any,  # noqa: ANN401
    cluster_ids: list[str],
    call: str,
) -> None:
    more = {"TerminationProtected": False} if call == "set_termination_protection" else {}

    with pytest.raises(ClientError) as refused:
        getattr(terminator, call)(JobFlowIds=cluster_ids[1:], **more)

    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
