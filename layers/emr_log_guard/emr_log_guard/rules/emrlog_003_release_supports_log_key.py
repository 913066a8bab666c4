"""EMRLOG-003: the cluster's release supports the log key."""

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.findings import Outcome, compliant, insufficient_data, non_compliant
from emr_log_guard.domain.releases import Release, parse_release_label
from emr_log_guard.rules import emrlog_004_log_key_customer_managed as customer_managed
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules import emrlog_006_log_key_approved as approved
from emr_log_guard.rules.preconditions import named_key
from emr_log_guard.rules.remediation import relaunch, supported_release
from emr_log_guard.rules.rule import Rule

_FIRST = Release(5, 30, 0)
_EXCLUDED = Release(6, 0, 0)


def check(facts: ClusterFacts) -> Outcome:
    """Compare releases as numbers: 5.30.0 and later support the log key, except 6.0.0.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-debugging.html
    """
    precondition = named_key(facts)
    if isinstance(precondition, Outcome):
        return precondition
    cluster = facts.cluster
    if cluster.release_label is None:
        if cluster.ami_version is None:
            return insufficient_data("EMR names neither a release nor an AMI version")
        return non_compliant(f"AMI version {cluster.ami_version} ignores the log encryption key")
    release = parse_release_label(cluster.release_label)
    if release is None:
        return insufficient_data(f"the release label {cluster.release_label!r} cannot be parsed")
    if release < _FIRST or release == _EXCLUDED:
        return non_compliant(
            f"release {release} ignores the log encryption key: "
            f"{_FIRST} or later supports it, except {_EXCLUDED}"
        )
    return compliant(f"release {release} supports the log encryption key")


def remediation(facts: ClusterFacts) -> str:
    """Relaunch on a release that supports the key: the cluster's own key, if it is compliant."""
    broken = any(rule.check(facts).broken for rule in (customer_managed, usable, approved))
    return relaunch(
        facts,
        release=supported_release(facts.cluster.release_label),
        key=None if broken else facts.cluster.log_key_identifier,
    )


RULE = Rule(
    id="EMRLOG-003",
    name="release-supports-log-key",
    severity=Severity.HIGH,
    violation="the cluster has a log key, and its release is 6.0.0, below 5.30.0 or an AMI version",
    precondition="logs are archived, and a log key is configured",
    why="Such a release accepts the key but writes the logs without it: they only look protected.",
    check=check,
    remediation=remediation,
)
