"""Preconditions that rules share: one root cause, one finding.

Each returns the fact that a rule needs or, if it is missing, the outcome of the rule.
"""

from dataclasses import replace

from emr_log_guard.domain.clusters import ClusterFacts
from emr_log_guard.domain.findings import (
    Outcome,
    not_applicable,
    undetermined,
)
from emr_log_guard.domain.keys import KeyFact, KeyManager, KeyNotFound, KmsKey
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts
from emr_log_guard.domain.unresolved import Unresolved

KMS_ALGORITHMS = frozenset({"aws:kms", "aws:kms:dsse"})


def named_key(facts: ClusterFacts) -> KeyFact | Outcome:
    """Return the key that the cluster names for its logs."""
    if facts.cluster.archive_uri is None:
        return not_applicable("no logs are archived")
    if facts.log_key is None:
        return not_applicable("no log key is configured")
    return facts.log_key


def customer_key(facts: ClusterFacts) -> KmsKey | Outcome:
    """Return the log key if it exists and is customer-managed."""
    match named_key(facts):
        case Unresolved() as unread:
            return undetermined(unread)
        case KeyNotFound():
            return not_applicable("the log key does not exist")
        case KmsKey(manager=KeyManager.AWS):
            return not_applicable("the log key is AWS-managed")
        case KmsKey() as key:
            return key
        case outcome:
            return outcome


def no_log_buckets(facts: ClusterFacts) -> Outcome | None:
    """Return why the known log buckets are not all there may be; None when they are."""
    if facts.unlisted:
        # EMRLOG-008 reports this: one root cause, one finding.
        return not_applicable(f"there may be more log buckets: {facts.unlisted.reason}")
    if not facts.log_buckets:
        return not_applicable("no logs are archived")
    return None


def logging_with(
    facts: ClusterFacts, log_uri: str, identifier: str | None, key: KeyFact | None
) -> ClusterFacts:
    """Return the facts of a cluster that logs elsewhere, or with another key.

    This applies the rules about the cluster's log key to everything that has its own key.
    """
    cluster = replace(
        facts.cluster, log_uri=log_uri, log_key_identifier=identifier, log_upload_policies={}
    )
    return replace(facts, cluster=cluster, log_key=key)


def kms_encryption(facts: LogObjectFacts) -> Encryption | Outcome:
    """Return the encryption of an object that is encrypted by KMS."""
    match facts.encryption:
        case Unresolved():
            return not_applicable("the object's encryption could not be read")
        case Encryption(algorithm=algorithm) if algorithm not in KMS_ALGORITHMS:
            return not_applicable("the object is not encrypted by KMS")
        case encryption:
            return encryption
