"""The least-privilege policies that a new cluster needs for encrypted logs.

They are made from the names that the cluster is launched with; AWS is not called.
https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.log_uri import LogLocation

type Statement = Mapping[str, object]

_ALGORITHM = "s3:x-amz-server-side-encryption"
_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
_CUSTOMER_ALGORITHM = "s3:x-amz-server-side-encryption-customer-algorithm"
_SPECIAL = re.compile(r"[*?$]")


@dataclass(frozen=True, slots=True)
class Preparation:
    """A cluster to launch, and the key, roles and place for its logs."""

    key_arn: str
    service_role_arn: str
    instance_profile: str
    """Its name."""
    node_role_arn: str
    """The role in the instance profile; its name may differ."""
    cluster_name: str
    release_label: str
    location: LogLocation | None = None
    """None when no log URI is given."""
    default_key: bool = False
    """Whether the key is the bucket's default: a put without an encryption header gets it, too."""

    @property
    def key_account(self) -> str:
        """The account that owns the key."""
        return Arn.of(self.key_arn).account

    @property
    def region(self) -> str:
        """The Region of the key, and so of the cluster."""
        return Arn.of(self.key_arn).region

    @property
    def account(self) -> str:
        """The account of the cluster and its roles."""
        return Arn.of(self.service_role_arn).account

    @property
    def service_role(self) -> str:
        """The service role's name."""
        return self.service_role_arn.rpartition("/")[2]

    @property
    def node_role(self) -> str:
        """The name of the role in the instance profile."""
        return self.node_role_arn.rpartition("/")[2]

    def service_role_policy(self) -> Statement:
        """Let EMR describe the key: the policy of the service role."""
        return policy(_allow("DescribeTheLogKey", "kms:DescribeKey", self.key_arn))

    def node_role_policy(self) -> Statement:
        """Let the nodes encrypt with the key and write logs: the policy of their role."""
        statements = [_allow("EncryptLogs", "kms:GenerateDataKey", self.key_arn)]
        if self.location:
            everything = f"{self._bucket_arn}/{literally(self.location.prefix)}*"
            statements.append(_allow("WriteLogs", "s3:PutObject", everything))
        return policy(*statements)

    @property
    def service_role_policy_name(self) -> str:
        """The name of the service role's policy."""
        return policy_name("EmrLogKey", self.key_arn)

    @property
    def node_role_policy_name(self) -> str:
        """The name of the policy of the nodes' role."""
        place = f"{self.location.bucket}/{self.location.prefix}" if self.location else ""
        return policy_name("EmrLogs", self.key_arn, place)

    def key_policy_statements(self) -> list[Statement]:
        """Allow both roles the same in the key policy, where `*` is the key itself."""
        return [
            key_policy_statement(role, action)
            for role, action in (
                (self.service_role_arn, "kms:DescribeKey"),
                (self.node_role_arn, "kms:GenerateDataKey"),
            )
        ]

    def bucket_policy_statements(self) -> list[Statement]:
        """Deny log objects that would be encrypted otherwise; empty without a log URI.

        A statement's conditions must all match, so each kind of violation is its own statement.
        A negated condition also matches a request without the header: such a put gets the bucket's
        default encryption, which no condition can see. It is denied, unless the default is known
        to be this key.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        """
        if not self.location:
            return []
        if not self.default_key:
            return [
                self._refuse("OtherEncryption", _is_not(_ALGORITHM, "aws:kms")),
                self._refuse("OtherKeys", _is_not(_KEY, self.key_arn)),
            ]
        # aws:kms without a key is the AWS-managed one, and SSE-C has a header of its own.
        conditions: dict[str, dict[str, object]] = {
            "OtherEncryption": _asked_for(_ALGORITHM) | _is_not(_ALGORITHM, "aws:kms"),
            "OtherKeys": _asked_for(_KEY) | _is_not(_KEY, self.key_arn),
            "UnnamedKeys": {"Null": {_ALGORITHM: "false", _KEY: "true"}},
            "CustomerProvidedKeys": _asked_for(_CUSTOMER_ALGORITHM),
        }
        return [self._refuse(what, condition) for what, condition in conditions.items()]

    @property
    def _bucket_arn(self) -> str:
        bucket = self.location.bucket if self.location else ""
        return f"arn:{Arn.of(self.key_arn).partition}:s3:::{bucket}"

    def _refuse(self, what: str, condition: Mapping[str, object]) -> Statement:
        prefix = self.location.prefix if self.location else ""
        # Without a prefix, only the clusters' folders: others may write to the bucket.
        logs = f"{self._bucket_arn}/{literally(prefix) or 'j-'}*"
        return {
            "Sid": _sid(f"EmrLogsRefuse{what}", logs),
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": logs,
            "Condition": condition,
        }


def policy_name(what: str, *about: str) -> str:
    """Name a role's policy after its content: policies for different keys do not collide."""
    return f"{what}-{_digest(*about)}"


def policy(*statements: Statement) -> Statement:
    """Make a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def key_policy_statement(role_arn: str, action: str) -> Statement:
    """Allow a role an action in a key's own policy."""
    return {
        "Sid": _sid(f"EmrLogs{action.rpartition(':')[2]}", role_arn),
        "Effect": "Allow",
        "Principal": {"AWS": role_arn},
        "Action": action,
        "Resource": "*",
    }


def _asked_for(header: str) -> dict[str, object]:
    """Match requests that have a header: IfExists would also match those without."""
    return {"Null": {header: "false"}}


def _is_not(header: str, value: str) -> dict[str, object]:
    return {"StringNotEquals": {header: value}}


def _allow(sid: str, action: str, resource: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}


def _sid(what: str, subject: str) -> str:
    """Name a statement after its content: adding it again replaces it, and no other."""
    return what + _digest(subject)


def _digest(*about: str) -> str:
    return sha256("\n".join(about).encode()).hexdigest()[:8]


def literally(text: str) -> str:
    """Write text so that no character of it is a wildcard or begins a variable.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return _SPECIAL.sub(lambda found: f"${{{found[0]}}}", text)
