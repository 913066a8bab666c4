"""EMRLOG-011: KMS rotates the log key automatically."""

from shlex import quote

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import (
    Outcome,
    compliant,
    insufficient_data,
    non_compliant,
    not_applicable,
    undetermined,
)
from emr_log_guard.domain.keys import KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules.preconditions import customer_key
from emr_log_guard.rules.remediation import relaunch
from emr_log_guard.rules.rule import Rule


def check(facts: ClusterFacts) -> Outcome:
    """Check for automatic rotation with any period.

    https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html
    """
    key = rotatable_key(facts)
    if isinstance(key, Outcome):
        return key
    match facts.key_rotation:
        case None:
            return insufficient_data("whether the log key is rotated was not read")
        case Unresolved() as unread:
            return undetermined(unread)
        case True:
            return compliant(f"KMS rotates the log key {key.arn}")
        case _:
            return non_compliant(f"automatic rotation of the log key {key.arn} is off")


def rotatable_key(facts: ClusterFacts) -> KmsKey | Outcome:
    """Return the log key if KMS generated its material: it rotates no others automatically.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html
    """
    key = usable.usable_customer_key(facts)
    if isinstance(key, Outcome) or key.origin == "AWS_KMS":
        return key
    if key.origin is None:
        return insufficient_data(f"kms:DescribeKey names no origin of the log key {key.arn}")
    return not_applicable(f"KMS does not rotate keys of origin {key.origin} automatically")


def remediation(facts: ClusterFacts) -> str:
    """Turn on rotation; for a multi-Region key, on its primary key."""
    key = customer_key(facts)
    if isinstance(key, Outcome):
        return relaunch(facts)
    enable = f"aws kms enable-key-rotation --region {quote(key.region)} --key-id {quote(key.arn)}"
    if "key/mrk-" not in key.arn:
        return enable
    return (
        "# The rotation of a multi-Region key is set on its primary key, which this names:\n"
        f"aws kms describe-key --region {quote(key.region)} --key-id {quote(key.arn)} "
        "--query KeyMetadata.MultiRegionConfiguration.PrimaryKey\n"
        "# In the Region of the primary key:\n"
        f"aws kms enable-key-rotation --region REGION --key-id {quote(_id(key))}"
    )


def _id(key: KmsKey) -> str:
    return Arn.of(key.arn).resource.removeprefix("key/")


RULE = Rule(
    id="EMRLOG-011",
    name="log-key-rotation-enabled",
    severity=Severity.LOW,
    violation="KMS can rotate the key automatically, but rotation is off",
    precondition="the log key is customer-managed and usable, and KMS generated its key material",
    why="The longer key material is in use, the more logs are exposed if it is compromised.",
    check=check,
    remediation=remediation,
    enabled=False,
)
