"""Mistakes in a cluster's log settings, and the rule that must detect each of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.fixtures import NODES_ROLE_WITHOUT_KEY, OTHER_ACCOUNTS_BUCKET, OTHER_REGION, Fixtures


@dataclass(frozen=True, slots=True)
class Keys:
    """The account's keys, by their flaw. ARNs, except for the AWS-managed key."""

    approved: str
    unapproved: str
    disabled: str
    pending_deletion: str
    elsewhere: str
    aws_managed: str = "alias/aws/s3"

    @classmethod
    def make(cls, fixtures: Fixtures) -> "Keys":
        """Create the keys with their flaws."""
        keys = cls(
            approved=fixtures.make_key("emr-logs"),
            unapproved=fixtures.make_key("other-team"),
            disabled=fixtures.make_key("emr-logs-2024"),
            pending_deletion=fixtures.make_key("emr-logs-2023"),
            elsewhere=fixtures.make_key("emr-logs", region=OTHER_REGION),
        )
        fixtures.disable_key(keys.disabled)
        fixtures.delete_key(keys.pending_deletion)
        return keys

    @property
    def approved_list(self) -> str:
        """The approved keys: by alias, alias and ARN; all keys but the unapproved one."""
        return f"alias/emr-logs,alias/emr-logs-2024,{self.pending_deletion},{self.elsewhere}"

    def encrypt(self, key: str | None = None) -> dict[str, str]:
        """PutObject's arguments for SSE-KMS; without a key, S3 uses its AWS-managed one."""
        named = {} if key is None else {"SSEKMSKeyId": key}
        return {"ServerSideEncryption": "aws:kms", **named}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster, and the rule that it violates."""

    title: str
    name: str
    rule: str | None
    """The only violated rule; None if the cluster is compliant."""
    settings: Callable[[Keys], dict[str, Any]] = field(default=lambda _keys: {})
    """The RunJobFlow settings that differ from a compliant cluster's."""
    log: Callable[[Keys], Mapping[str, str]] | None = None
    """The encryption arguments of its log object; None if it writes none."""

    def launch(self, fixtures: Fixtures, keys: Keys) -> str:
        """Launch the cluster, write its log object, and return its id."""
        settings = {"LogEncryptionKmsKeyId": keys.approved} | self.settings(keys)
        cluster_id = fixtures.launch(self.name, **settings)
        if self.log is not None:
            fixtures.write_log(cluster_id, "steps/s-1/stderr.gz", self.log(keys))
        return cluster_id


VIOLATIONS = (
    Scenario(
        "no logging at all",
        "adhoc-notebook",
        "EMRLOG-001",
        lambda _: {"LogUri": None, "LogEncryptionKmsKeyId": None},
    ),
    Scenario(
        "logging without a key",
        "nightly-etl",
        "EMRLOG-002",
        lambda _: {"LogEncryptionKmsKeyId": None},
    ),
    Scenario(
        "a release before 5.30.0",
        "legacy-hive",
        "EMRLOG-003",
        lambda _: {"ReleaseLabel": "emr-5.29.0"},
    ),
    Scenario(
        "release 6.0.0", "early-spark3", "EMRLOG-003", lambda _: {"ReleaseLabel": "emr-6.0.0"}
    ),
    Scenario(
        "an AWS-managed key",
        "quick-start",
        "EMRLOG-004",
        lambda keys: {"LogEncryptionKmsKeyId": keys.aws_managed},
    ),
    Scenario(
        "a disabled key",
        "billing-2024",
        "EMRLOG-005",
        lambda keys: {"LogEncryptionKmsKeyId": keys.disabled},
    ),
    Scenario(
        "a key pending deletion",
        "billing-2023",
        "EMRLOG-005",
        lambda _: {"LogEncryptionKmsKeyId": "alias/emr-logs-2023"},
    ),
    Scenario(
        "a key in another Region",
        "copied-from-west",
        "EMRLOG-005",
        lambda keys: {"LogEncryptionKmsKeyId": keys.elsewhere},
    ),
    Scenario(
        "a key that is not approved",
        "team-sandbox",
        "EMRLOG-006",
        lambda keys: {"LogEncryptionKmsKeyId": keys.unapproved},
    ),
    Scenario(
        "a role that may not use the key",
        "new-profile",
        "EMRLOG-007",
        lambda _: {"JobFlowRole": NODES_ROLE_WITHOUT_KEY},
    ),
    Scenario(
        "a log bucket of another account",
        "copied-from-partner",
        "EMRLOG-013",
        lambda _: {"LogUri": f"s3://{OTHER_ACCOUNTS_BUCKET}/clusters/"},
    ),
    Scenario("a log object in SSE-S3", "log-sse-s3", "EMRLOG-101", log=lambda _: {}),
    Scenario(
        "a log object with aws/s3", "log-aws-key", "EMRLOG-102", log=lambda keys: keys.encrypt()
    ),
    Scenario(
        "a log object with another key",
        "log-other-key",
        "EMRLOG-103",
        log=lambda keys: keys.encrypt(keys.unapproved),
    ),
)
