"""The commands that rules offer as the fix. User-controlled text is quoted for a shell.

Comments have no quotes or brackets: zsh parses pasted comments as commands.
"""

import json
from collections.abc import Iterable, Iterator
from shlex import quote
from urllib.parse import quote as url_quote

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import ClusterFacts, Session
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_access import IdentityDecision, RoleKeyAccess, UndeterminedDecision
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.keys import KeyFact, KeyManager, KeyState, KmsKey, same_key
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.domain.preparation import key_policy_statement, policy, policy_name
from emr_log_guard.domain.releases import parse_release_label
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.commands import (
    add_to_key_policy,
    create_cluster,
    prepare,
    put_role_policy,
)

_UPDATABLE = frozenset({"AES256", "aws:kms"})
"""What UpdateObjectEncryption supports; everything else has to be copied.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html
"""
_SUPPORTED_RELEASES = {5: "emr-5.36.2", 6: "emr-6.15.0"}
LATEST_RELEASE = "emr-7.12.0"
_BY_THE_OWNER = "# In account {}, which owns the key:\n"
_RELAUNCH = (
    "# The log settings of a live cluster cannot be changed. Relaunch it with its own "
    "instances, applications and steps, then terminate this one:"
)


def relaunch(facts: ClusterFacts, *, release: str | None = None, key: str | None = None) -> str:
    """Relaunch the cluster with the right settings: EMR cannot change those of a running one.

    Args:
        facts: The cluster.
        release: The release label to use instead of the cluster's own.
        key: The key to use instead of the first approved one.

    """
    cluster = facts.cluster
    key = key or right_key(facts)
    create = create_cluster(
        region=cluster.region,
        name=cluster.name,
        release_label=release or cluster.release_label or LATEST_RELEASE,
        log_uri=_log_uri(cluster.log_uri),
        key=key,
        service_role=cluster.service_role,
        instance_profile=cluster.instance_profile,
        more=" --instance-type INSTANCE_TYPE --instance-count INSTANCE_COUNT",
    )
    terminate = (
        f"aws emr terminate-clusters --region {quote(cluster.region)} "
        f"--cluster-ids {quote(cluster.id)}"
    )
    return "\n".join((_RELAUNCH, create, terminate, *what_it_needs(facts, key)))


def what_it_needs(facts: ClusterFacts, key: str) -> tuple[str, ...]:
    """Print the policies that the cluster's roles, the key and the log bucket need."""
    cluster = facts.cluster
    if not (cluster.service_role and cluster.instance_profile):
        return ()
    command = prepare(
        region=cluster.region,
        key=key,
        service_role=cluster.service_role,
        instance_profile=cluster.instance_profile,
        log_uri=_log_uri(cluster.log_uri),
    )
    return ("# This prints the policies that its roles, the key and the log bucket need:", command)


def supported_release(label: str | None) -> str:
    """Return a release that supports the log key, of the same major version if possible."""
    release = parse_release_label(label) if label else None
    return _SUPPORTED_RELEASES.get(release.major if release else 0, LATEST_RELEASE)


def right_key(facts: ClusterFacts) -> str:
    """Return the key to use: the first approved one in the cluster's Region, else a placeholder.

    The cluster's own key is skipped when it is known to be unusable.
    """
    for approved in facts.approved_keys:
        arn = Arn.parse(approved.arn) if isinstance(approved.arn, str) else None
        if arn and arn.region == facts.cluster.region and not _is_unusable(facts.log_key, str(arn)):
            return str(arn)
    return "ARN_OF_A_CUSTOMER_MANAGED_KEY"


def _is_unusable(key: KeyFact | None, arn: str) -> bool:
    match key:
        case KmsKey(manager=KeyManager.CUSTOMER, state=KeyState.ENABLED, spec="SYMMETRIC_DEFAULT"):
            return False
        case KmsKey():
            return same_key(key.arn, arn)
        case _:
            return False


def make_usable(facts: ClusterFacts, key: KmsKey) -> str:
    """Bring a key that exists in the right Region back to the state Enabled."""
    target = _key(key)
    theirs = "" if key.account == facts.cluster.account else _BY_THE_OWNER.format(key.account)
    enable = f"aws kms enable-key {target}"
    match key.state.value:
        case "Disabled":
            return f"{theirs}{enable}"
        case "PendingDeletion":
            return f"{theirs}aws kms cancel-key-deletion {target}\n{enable}"
        case "PendingImport":
            return (
                f"{theirs}aws kms get-parameters-for-import {target} "
                "--wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_4096\n"
                f"aws kms import-key-material {target} --import-token fileb://token.bin "
                "--encrypted-key-material fileb://material.bin "
                "--expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE"
            )
        case _:
            return f"aws kms describe-key {target}\n{relaunch(facts)}"


def grant_key(access: RoleKeyAccess, key: KmsKey) -> str:
    """Allow a role an action on a key: in its own policy or, if that has no effect, the key's."""
    role = access.role_arn.rpartition("/")[2]
    match access:
        case RoleKeyAccess(identity=IdentityDecision.EXPLICIT_DENY):
            return f"# A policy of the role {quote(role)} denies {access.action}: remove that."
        case RoleKeyAccess(identity=IdentityDecision.LIMITED):
            return (
                f"# The permissions boundary of the role {quote(role)} does not allow "
                f"{access.action}: allow it there."
            )
        case RoleKeyAccess(key_policy=KeyPolicyVerdict(denies=Truth.YES)):
            return f"# The key policy denies {access.action} to {quote(role)}: remove that."
        case RoleKeyAccess(key_policy=KeyPolicyVerdict(allows=Truth.NO, delegates=Truth.NO)):
            statement = key_policy_statement(access.role_arn, access.action)
            return add_to_key_policy(key.region, key.arn, [statement])
        case RoleKeyAccess(identity=UndeterminedDecision()):
            return (
                f"# Whether the role {quote(role)} may {access.action} depends on a condition that "
                "the finding names: check that the cluster's requests meet it."
            )
        case _:
            return _allow_in_role(role, access.action, key)


def _allow_in_role(role: str, action: str, key: KmsKey) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": key.arn}
    name = policy_name(f"EmrLogKey-{action.rpartition(':')[2]}", key.arn)
    return put_role_policy(role, name, json.dumps(policy(statement)))


def reencrypt(facts: LogObjectFacts) -> str:
    """Re-encrypt the log object in place, with the customer-managed key that it should have."""
    version = facts.version
    key = _key_of_object(facts)
    region = ""
    if not isinstance(facts.cluster, Unresolved):
        region = f" --region {quote(facts.cluster.region)}"
    which = f"--bucket {quote(version.bucket)} --key {quote(version.key)}"
    encrypted = facts.encryption
    if isinstance(encrypted, Encryption) and encrypted.algorithm not in _UPDATABLE:
        target = "aws:kms:dsse" if encrypted.algorithm == "aws:kms:dsse" else "aws:kms"
        source = f"{version.bucket}/{url_quote(version.key)}"
        if version.version_id:
            source += f"?versionId={version.version_id}"
        return (
            f"aws s3api copy-object{region} {which} --copy-source {quote(source)} "
            f"--server-side-encryption {target} "
            f"--ssekms-key-id {quote(key)}"
        )
    if version.version_id:
        which += f" --version-id {quote(version.version_id)}"
    encryption = json.dumps({"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": True}})
    return (
        f"aws s3api update-object-encryption{region} {which} "
        f"--object-encryption {quote(encryption)}"
    )


def terminate_sessions(
    facts: ClusterFacts, sessions: Iterable[Session], again: str
) -> Iterator[str]:
    """Terminate sessions, to be started again with other settings."""
    ids = [quote(session.id) for session in sessions]
    if ids:
        yield f"# Terminate the sessions, then start them again {again}:"
    for session_id in ids:
        yield f"aws emr terminate-session {on_cluster(facts)} --session-id {session_id}"


def on_cluster(facts: ClusterFacts) -> str:
    """Return the options that select the cluster."""
    return f"--region {quote(facts.cluster.region)} --cluster-id {quote(facts.cluster.id)}"


def _key_of_object(facts: LogObjectFacts) -> str:
    """Return the key that an object should have: customer-managed, and approved."""
    approved = facts.approved_keys
    match facts.expected_key:
        case KmsKey(manager=KeyManager.CUSTOMER, arn=arn) if not approved or any(
            each.names(arn) for each in approved
        ):
            return arn
        case _:
            pass
    if not isinstance(facts.cluster, Unresolved):
        for each in approved:
            listed = Arn.parse(each.arn) if isinstance(each.arn, str) else None
            if listed and listed.region == facts.cluster.region:
                return str(listed)
    return "ARN_OF_THE_LOG_KEY"


def send_events(bucket: str) -> str:
    """Turn on EventBridge for a bucket, and keep its other notifications.

    PutBucketNotificationConfiguration replaces the whole configuration: read, change, write.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
    """
    name = f"--bucket {quote(bucket)}"
    return (
        f"aws s3api get-bucket-notification-configuration {name} "
        "| jq -s 'add + {EventBridgeConfiguration: {}}' > notifications.json\n"
        f"aws s3api put-bucket-notification-configuration {name} "
        "--notification-configuration file://notifications.json"
    )


def _key(key: KmsKey) -> str:
    return f"--region {quote(key.region)} --key-id {quote(key.arn)}"


def _log_uri(uri: str | None) -> str:
    location = LogLocation.parse(uri) if uri else None
    return f"s3://{location.bucket}/{location.prefix}" if location else "s3://LOG_BUCKET/logs/"
