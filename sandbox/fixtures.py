"""Creates what data engineers own in the account: roles, keys, a log bucket, clusters and logs."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.running import ACCOUNT_ID, Sandbox, root_user

OTHER_REGION = "us-west-2"
OTHER_ACCOUNT = "444455556666"
LOG_BUCKET = "analytics-emr-logs"
OTHER_ACCOUNTS_BUCKET = "partner-emr-logs"
LOG_URI = f"s3://{LOG_BUCKET}/clusters/"
SERVICE_ROLE = "EMR_DefaultRole"
NODES_ROLE = "EMR_EC2_DefaultRole"
NODES_ROLE_WITHOUT_KEY = "EMR_EC2_NoKmsRole"


class Fixtures:
    """The steps of the seed: roles that may use the log keys, the keys, and a log bucket."""

    def __init__(self, account: Sandbox) -> None:
        self.account = account
        self._emr = account.client("emr")
        self._s3 = account.client("s3")
        self._kms = account.client("kms")

    def make_roles(self, suffix: str = "") -> dict[str, str]:
        """Step 1: create a service role that may describe keys, and a nodes' role that may encrypt.

        Args:
            suffix: appended to the roles' names, for a further pair.

        Returns:
            The RunJobFlow settings of a cluster that uses them.
        """
        keys = f"arn:aws:kms:*:{ACCOUNT_ID}:key/*"
        service, nodes = f"{SERVICE_ROLE}{suffix}", f"{NODES_ROLE}{suffix}"
        self._make_role(service, "elasticmapreduce", {"kms:DescribeKey": keys})
        self._make_role(nodes, "ec2", {"kms:GenerateDataKey": keys})
        return {"ServiceRole": service, "JobFlowRole": nodes}

    def attach_policy(self, role: str, name: str, document: Mapping[str, object]) -> None:
        """Attach a managed policy to a role."""
        iam = self.account.client("iam")
        policy = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
        iam.attach_role_policy(RoleName=role, PolicyArn=policy["Policy"]["Arn"])

    def attach_conditional_policy(self, role: str) -> None:
        """Attach the condition of EMR's default policy, which is not about any key."""
        statement = {
            "Effect": "Allow",
            "Action": "iam:CreateServiceLinkedRole",
            "Resource": "*",
            "Condition": {"StringLike": {"iam:AWSServiceName": "spot.amazonaws.com"}},
        }
        self.attach_policy(
            role, f"{role}-spot", {"Version": "2012-10-17", "Statement": [statement]}
        )

    def make_role_without_key(self) -> None:
        """Step 1 with a mistake: create a nodes' role that may not use any key."""
        self._make_role(NODES_ROLE_WITHOUT_KEY, "ec2", {"s3:PutObject": "arn:aws:s3:::*/*"})

    def make_key(self, alias: str, *, region: str | None = None, **settings: Any) -> str:  # noqa: ANN401
        """Step 2: create a customer-managed key with an alias; return its ARN."""
        kms = self.account.client("kms", region_name=region)
        key: dict[str, str] = kms.create_key(Description=alias, **settings)["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=key["KeyId"])
        return key["Arn"]

    def disable_key(self, arn: str) -> None:
        """Disable a key."""
        self._kms.disable_key(KeyId=arn)

    def delete_key(self, arn: str) -> None:
        """Schedule a key for deletion."""
        self._kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)

    def make_log_bucket(self, name: str = LOG_BUCKET, *, owner: str = ACCOUNT_ID) -> None:
        """Create a bucket that sends its events to EventBridge.

        Args:
            name: the bucket's name.
            owner: the account that owns it. If it is another account, its bucket policy lets this
            one write logs and read them.
        """
        s3 = self.account.client("s3", **root_user(owner))
        region = self.account.region
        elsewhere: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **({} if region == "us-east-1" else elsewhere))
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        if owner != ACCOUNT_ID:
            s3.put_bucket_policy(Bucket=name, Policy=_document(*_shared(name)))

    def launch(self, name: str, **settings: Any) -> str:  # noqa: ANN401 - RunJobFlow's own
        """Step 3: launch a cluster that logs to the bucket by default; return its id.

        Args:
            name: the cluster's name.
            settings: RunJobFlow parameters that override the defaults; None removes one.
        """
        usual = {
            "ReleaseLabel": "emr-7.12.0",
            "LogUri": LOG_URI,
            "ServiceRole": SERVICE_ROLE,
            "JobFlowRole": NODES_ROLE,
            "Instances": {"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 3},
        }
        chosen = {key: value for key, value in (usual | settings).items() if value is not None}
        cluster_id: str = self._emr.run_job_flow(Name=name, **chosen)["JobFlowId"]
        return cluster_id

    def write_log(
        self, cluster_id: str, name: str, encryption: Mapping[str, str], *, bucket: str = LOG_BUCKET
    ) -> str:
        """Step 4: write a log object under the key that EMR would use; return that key.

        Args:
            cluster_id: the cluster that the log belongs to.
            name: the path below the cluster's folder, such as `node/i-1/daemons.log.gz`.
            encryption: PutObject's encryption arguments.
            bucket: the bucket to write to.
        """
        key = f"clusters/{cluster_id}/{name}"
        self._s3.put_object(Bucket=bucket, Key=key, Body=b"a log line\n", **encryption)
        return key

    def state_of(self, cluster_id: str) -> str:
        """The cluster's state as EMR returns it."""
        state: str = self._emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
        return state

    def _make_role(self, name: str, service: str, allowed: Mapping[str, str]) -> None:
        """Create a role with these actions on these resources, and its EC2 instance profile."""
        iam = self.account.client("iam")
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))
        statements = [
            {"Effect": "Allow", "Action": action, "Resource": resource}
            for action, resource in allowed.items()
        ]
        iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=_document(*statements))
        if service == "ec2":
            iam.create_instance_profile(InstanceProfileName=name)
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _shared(bucket: str) -> list[dict[str, object]]:
    """A bucket policy that lets this account write and read logs in another account's bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-walkthroughs-managing-access-example2.html
    """
    arn = f"arn:aws:s3:::{bucket}"
    allowed = {
        arn: ["s3:ListBucket", "s3:GetBucketNotification"],
        f"{arn}/*": ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"],
    }
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}
    return [
        {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": resource}
        for resource, actions in allowed.items()
    ]


def _document(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
