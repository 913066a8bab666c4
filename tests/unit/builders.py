"""Facts, findings and policies that are in order, except for what a test says of them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypedDict, Unpack

from emr_log_guard.domain.clusters import (
    BucketOwnership,
    Cluster,
    ClusterFacts,
    LogBucket,
    WorkloadFacts,
)
from emr_log_guard.domain.compliance import Compliance, Mode, Severity
from emr_log_guard.domain.findings import Evidence, Finding, Status
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_access import IdentityDecision, RoleKeyAccess, UndeterminedDecision
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.keys import (
    ApprovedKey,
    KeyFact,
    KeyManager,
    KeyNotFound,
    KeyState,
    KmsKey,
)
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts, ObjectVersion
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.domain.policy import (
    ClusterMatch,
    Enforcement,
    Exemption,
    Policy,
    Reencryption,
    TerminationProtection,
)
from emr_log_guard.domain.preparation import Preparation
from emr_log_guard.domain.unresolved import Unresolved

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-west-1"
OTHER_REGION = "us-east-1"
CLUSTER_ID = "j-2AXXXXXXGAPLF"
NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
TODAY = NOW.date()

SERVICE_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/EMR_DefaultRole"
NODE_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/EMR_EC2_DefaultRole"
UNREADABLE = Unresolved("kms:DescribeKey on alias/emr-logs answered AccessDeniedException")


def key_arn(
    key_id: str = "1234abcd-12ab-34cd-56ef-1234567890ab",
    *,
    account: str = ACCOUNT,
    region: str = REGION,
) -> str:
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


class KeyChanges(TypedDict, total=False):
    arn: str
    manager: KeyManager
    state: KeyState
    spec: str
    usage: str
    origin: str | None


def a_key(**changes: Unpack[KeyChanges]) -> KmsKey:
    """Make a key that EMR can encrypt logs with."""
    key = KmsKey(
        arn=key_arn(),
        manager=KeyManager.CUSTOMER,
        state=KeyState.ENABLED,
        spec="SYMMETRIC_DEFAULT",
        usage="ENCRYPT_DECRYPT",
        origin="AWS_KMS",
    )
    return replace(key, **changes)


KEY = a_key()
ANOTHER_KEY = a_key(arn=key_arn("0987dcba-09fe-87dc-65ba-ab0987654321"))
AWS_MANAGED = a_key(arn=key_arn("a85a5a5a-0000-4000-8000-aaaaaaaaaaaa"), manager=KeyManager.AWS)
NO_SUCH_KEY = KeyNotFound("alias/gone", "kms:DescribeKey on alias/gone answered NotFoundException")


def approved(*keys: KmsKey) -> tuple[ApprovedKey, ...]:
    return tuple(ApprovedKey(key.arn, key.arn) for key in keys)


class ClusterChanges(TypedDict, total=False):
    id: str
    arn: str
    name: str
    state: str
    log_uri: str | None
    log_key_identifier: str | None
    release_label: str | None
    ami_version: str | None
    service_role: str | None
    instance_profile: str | None
    cloudwatch_logs: bool
    cloudwatch_key_identifier: str | None
    log_upload_policies: Mapping[str, str]
    sessions_enabled: bool
    termination_protected: bool
    tags: Mapping[str, str]


def a_cluster(**changes: Unpack[ClusterChanges]) -> Cluster:
    """Make a running cluster that logs with KEY on a release that honours it."""
    cluster = Cluster(
        id=CLUSTER_ID,
        arn=f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{CLUSTER_ID}",
        name="nightly-etl",
        state="RUNNING",
        log_uri="s3n://example-logs/emr/",
        log_key_identifier=KEY.arn,
        release_label="emr-7.12.0",
        service_role="EMR_DefaultRole",
        instance_profile="EMR_EC2_DefaultRole",
    )
    return replace(cluster, **changes)


class AccessChanges(TypedDict, total=False):
    title: str
    role_arn: str
    action: str
    identity: IdentityDecision | UndeterminedDecision | Unresolved
    key_policy: KeyPolicyVerdict | Unresolved


DELEGATES = KeyPolicyVerdict(allows=Truth.NO, delegates=Truth.YES, denies=Truth.NO)


def service_role_access(**changes: Unpack[AccessChanges]) -> RoleKeyAccess:
    """Make a service role that may describe the log key."""
    access = RoleKeyAccess(
        title="service role",
        role_arn=SERVICE_ROLE_ARN,
        action="kms:DescribeKey",
        identity=IdentityDecision.ALLOWED,
        key_policy=DELEGATES,
    )
    return replace(access, **changes)


def node_role_access(**changes: Unpack[AccessChanges]) -> RoleKeyAccess:
    """Make a role of the nodes that may encrypt with the log key."""
    access = RoleKeyAccess(
        title="instance profile's role",
        role_arn=NODE_ROLE_ARN,
        action="kms:GenerateDataKey",
        identity=IdentityDecision.ALLOWED,
        key_policy=DELEGATES,
    )
    return replace(access, **changes)


LOG_BUCKET = LogBucket(
    "example-logs", sends_events=True, ownership=BucketOwnership(ACCOUNT, REGION)
)
ROLES_MAY = (service_role_access(), node_role_access())


def identifier_of(key: KeyFact | None) -> str | None:
    """Name a key as the launcher of a cluster may have typed it."""
    match key:
        case None:
            return None
        case KmsKey(arn=arn):
            return arn
        case KeyNotFound(identifier=identifier):
            return identifier
        case Unresolved():
            return "alias/emr-logs"


def cluster_facts(  # noqa: PLR0913 - one a fact
    cluster: Cluster | None = None,
    *,
    log_key: KeyFact | None = KEY,
    approved_keys: tuple[ApprovedKey, ...] = (),
    role_access: tuple[RoleKeyAccess | Unresolved, ...] = ROLES_MAY,
    steps: tuple[WorkloadFacts, ...] | Unresolved = (),
    sessions: tuple[WorkloadFacts, ...] | Unresolved = (),
    cloudwatch_key: KeyFact | None = None,
    key_rotation: bool | Unresolved | None = True,
    log_key_worked: bool = False,
    log_buckets: tuple[LogBucket, ...] = (LOG_BUCKET,),
) -> ClusterFacts:
    """Gather what is known of a cluster; without one, of a cluster that names the log key."""
    return ClusterFacts(
        cluster=cluster or a_cluster(log_key_identifier=identifier_of(log_key)),
        log_key=log_key,
        approved_keys=approved_keys,
        role_access=role_access,
        steps=steps,
        sessions=sessions,
        key_rotation=key_rotation,
        log_buckets=log_buckets if cluster is None or cluster.log_uri else (),
        cloudwatch_key=cloudwatch_key,
        log_key_worked=log_key_worked,
    )


def a_log_object(key: str = f"emr/{CLUSTER_ID}/steps/s-1/stderr.gz") -> ObjectVersion:
    return ObjectVersion("example-logs", key)


def encrypted(algorithm: str | None, key_identifier: str | None = None) -> Encryption:
    return Encryption(algorithm, key_identifier, written_at=NOW)


class LogObjectChanges(TypedDict, total=False):
    version: ObjectVersion
    cluster_id: str
    encryption: Encryption | Unresolved
    object_key: KeyFact | None
    cluster: Cluster | Unresolved
    expected_key: KeyFact | None
    expected_of: str
    approved_keys: tuple[ApprovedKey, ...]
    former_keys: tuple[str, ...]


def log_object_facts(**changes: Unpack[LogObjectChanges]) -> LogObjectFacts:
    """Gather what is known of a log object that is encrypted with its cluster's key."""
    facts = LogObjectFacts(
        version=a_log_object(),
        cluster_id=CLUSTER_ID,
        encryption=encrypted("aws:kms", KEY.arn),
        object_key=KEY,
        cluster=a_cluster(),
        expected_key=KEY,
    )
    return replace(facts, **changes)


class FindingChanges(TypedDict, total=False):
    id: str
    rule_name: str
    compliance: Compliance
    severity: Severity
    status: Status
    cluster_id: str
    cluster_name: str | None
    summary: str
    evidence: Evidence
    remediation: str
    deadline: datetime | None


def a_finding(rule_id: str = "EMRLOG-002", **changes: Unpack[FindingChanges]) -> Finding:
    """Make an open finding that says that a cluster breaks a rule of severity HIGH."""
    cluster = a_cluster()
    finding = Finding(
        id=f"{cluster.arn}#{rule_id}",
        rule_id=rule_id,
        rule_name="log-key-configured",
        compliance=Compliance.NON_COMPLIANT,
        severity=Severity.HIGH,
        status=Status.OPEN,
        account=ACCOUNT,
        region=REGION,
        cluster_id=cluster.id,
        cluster_name=cluster.name,
        cluster_arn=cluster.arn,
        launched_by=None,
        summary="logs go to s3n://example-logs/emr/ without a log encryption key",
        evidence={"log_uri": "s3n://example-logs/emr/"},
        remediation="aws emr create-cluster",
        first_seen=NOW,
        last_seen=NOW,
        occurrences=1,
        deadline=None,
        runbook="https://example.com/runbook",
    )
    return replace(finding, **changes)


def a_bucket_finding(**changes: Unpack[FindingChanges]) -> Finding:
    """Make an open finding that says that a log bucket sends no events."""
    arn = "arn:aws:s3:::example-logs"
    finding = replace(
        a_finding("EMRLOG-009"),
        id=f"{arn}#EMRLOG-009",
        rule_name="log-bucket-sends-events",
        severity=Severity.LOW,
        cluster_id=arn,
        cluster_name=None,
        cluster_arn=arn,
        summary="log objects are not checked: example-logs sends no events to EventBridge",
        evidence={"log_bucket": "example-logs", "samples": (f"{CLUSTER_ID} nightly-etl",)},
        remediation="aws s3api put-bucket-notification-configuration",
    )
    return replace(finding, **changes)


def an_exemption(
    cluster: ClusterMatch | None = None,
    *,
    rules: Iterable[str] = ("*",),
    until: date = date(2026, 12, 31),
) -> Exemption:
    """Make an exemption in force, for every rule of the usual cluster."""
    return Exemption(
        cluster=cluster or ClusterMatch(id=CLUSTER_ID),
        rules=frozenset(rules),
        until=until,
        reason="moves to emr-7 in June",
        approved_by="security@example.com",
    )


def a_policy(
    mode: Mode = Mode.ENFORCE,
    *,
    allowed: bool = True,
    protection: TerminationProtection = TerminationProtection.RESPECT,
    exemptions: tuple[Exemption, ...] = (),
    grace: timedelta = timedelta(0),
) -> Policy:
    """Make a policy under which the usual finding costs a cluster its life, at once."""
    return Policy(
        mode=mode,
        enforcement=Enforcement(
            termination_protection=protection, allowed=allowed, grace_running=grace
        ),
        exemptions=exemptions,
    )


def reencrypting(**changes: Any) -> Policy:  # noqa: ANN401 - any setting
    """Make a policy under which log objects are re-encrypted, without a key of its own."""
    settings = replace(Reencryption(enabled=True, allowed=True), **changes)
    return replace(a_policy(Mode.ALERT), reencryption=settings)


class _Preparing(TypedDict, total=False):
    key_arn: str
    node_role_arn: str
    cluster_name: str
    instance_profile: str
    location: LogLocation | None
    default_key: bool


def a_preparation(**changes: Unpack[_Preparing]) -> Preparation:
    """Prepare a cluster that logs to a folder of the usual bucket with the usual key."""
    usual = Preparation(
        key_arn=KEY.arn,
        service_role_arn=SERVICE_ROLE_ARN,
        instance_profile="EMR_EC2_DefaultRole",
        node_role_arn=NODE_ROLE_ARN,
        cluster_name="nightly-etl",
        release_label="emr-7.12.0",
        location=LogLocation("example-logs", "emr/"),
    )
    return replace(usual, **changes)


def reason_of(fact: object) -> str:
    """Say why a fact could not be read."""
    assert isinstance(fact, Unresolved)
    return fact.reason
