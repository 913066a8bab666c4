"""Preconditions that rules share: one root cause, one finding.

Each returns the fact that a rule needs or, where it is missing, the outcome to give instead.
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
    """Ask for the key that the cluster names for its logs."""
    if facts.cluster.archive_uri is None:
        return not_applicable("no logs are archived")
    if facts.log_key is None:
        return not_applicable("no log key is configured")
    return facts.log_key


def customer_key(facts: ClusterFacts) -> KmsKey | Outcome:
    """Ask for a log key that exists and is the customer's own."""
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
    """Say why nothing follows from the log buckets that are known; None where these are all."""
    if facts.unlisted:
        # EMRLOG-008 reports this: one root cause, one finding.
        return not_applicable(f"there may be more log buckets: {facts.unlisted.reason}")
    if not facts.log_buckets:
        return not_applicable("no logs are archived")
    return None


def logging_with(
    facts: ClusterFacts, log_uri: str, identifier: str | None, key: KeyFact | None
) -> ClusterFacts:
    """Give the facts of a cluster that logs elsewhere, or with another key.

    So the rules about the cluster's log key hold for whatever names a key of its own.
    """
    cluster = replace(
        facts.cluster, log_uri=log_uri, log_key_identifier=identifier, log_upload_policies={}
    )
    return replace(facts, cluster=cluster, log_key=key)


def kms_encryption(facts: LogObjectFacts) -> Encryption | Outcome:
    """Ask for an object that is encrypted by KMS."""
    match facts.encryption:
        case Unresolved():
            return not_applicable("the object's encryption could not be read")
        case Encryption(algorithm=algorithm) if algorithm not in KMS_ALGORITHMS:
            return not_applicable("the object is not encrypted by KMS")
        case encryption:
            return encryption
