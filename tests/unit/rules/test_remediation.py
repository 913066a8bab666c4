import json
import shlex
from dataclasses import replace

import pytest

from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.iam_policy import Truth
from emr_log_guard.domain.key_access import IdentityDecision, RoleKeyAccess, UndeterminedDecision
from emr_log_guard.domain.key_policy import KeyPolicyVerdict
from emr_log_guard.domain.keys import KeyFact, KeyManager, KeyState, KmsKey
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules import CLUSTER_RULES, LOG_OBJECT_RULES
from emr_log_guard.rules.remediation import (
    grant_key,
    make_usable,
    reencrypt,
    relaunch,
    right_key,
)
from tests.unit.builders import (
    ANOTHER_KEY,
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    NO_SUCH_KEY,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    UNREADABLE,
    a_cluster,
    a_key,
    a_log_object,
    approved,
    cluster_facts,
    encrypted,
    key_arn,
    log_object_facts,
    service_role_access,
)

PLACEHOLDER = "ARN_OF_A_CUSTOMER_MANAGED_KEY"
HOSTILE = [
    "x; rm -rf /",
    "it's",
    'say "hello"',
    "$(reboot)",
    "`reboot`",
    "two\nlines",
    "# not a comment",
    "--force",
    "a b",
    "",
]


def words(text: str) -> list[str]:
    """Split a remediation as a shell would: the words of all its commands."""
    return shlex.split(text, comments=True)


def test_relaunch_keeps_name_release_log_uri_and_roles_of_the_cluster() -> None:
    text = relaunch(cluster_facts(log_key=None, approved_keys=approved(KEY)))

    assert words(text) == [
        *("aws", "emr", "create-cluster"),
        *("--region", REGION),
        *("--name", "nightly-etl"),
        *("--release-label", "emr-7.12.0"),
        *("--log-uri", "s3://example-logs/emr/"),
        *("--log-encryption-kms-key-id", KEY.arn),
        *("--service-role", "EMR_DefaultRole"),
        *("--ec2-attributes", "InstanceProfile=EMR_EC2_DefaultRole"),
        *("--instance-type", "INSTANCE_TYPE"),
        *("--instance-count", "INSTANCE_COUNT"),
        *("aws", "emr", "terminate-clusters"),
        *("--region", REGION),
        *("--cluster-ids", CLUSTER_ID),
        *("emr-log-guard", "prepare"),
        *("--region", REGION),
        *("--key", KEY.arn),
        *("--service-role", "EMR_DefaultRole"),
        *("--instance-profile", "EMR_EC2_DefaultRole"),
        *("--log-uri", "s3://example-logs/emr/"),
    ]


@pytest.mark.parametrize(
    "cluster", [a_cluster(service_role=None), a_cluster(instance_profile=None)]
)
def test_relaunch_offers_prepare_only_when_both_roles_are_known(cluster: Cluster) -> None:
    assert "emr-log-guard" not in relaunch(cluster_facts(cluster))


@pytest.mark.parametrize("profile", ["a,b", "a=b", "it's"])
def test_relaunch_writes_an_instance_profile_with_special_characters_as_json(profile: str) -> None:
    found = words(relaunch(cluster_facts(a_cluster(instance_profile=profile))))

    attributes = found[found.index("--ec2-attributes") + 1]
    assert json.loads(attributes) == {"InstanceProfile": profile}


def test_relaunch_leaves_out_unknown_roles() -> None:
    cluster = a_cluster(service_role=None, instance_profile=None, release_label=None)

    found = words(relaunch(cluster_facts(cluster)))

    assert {"--service-role", "--ec2-attributes"}.isdisjoint(found)
    assert found[found.index("--release-label") + 1] == "emr-7.12.0"


@pytest.mark.parametrize(
    ("log_uri", "offered"),
    [
        ("s3n://example-logs/emr", "s3://example-logs/emr/"),
        ("s3a://example-logs", "s3://example-logs/"),
        ("hdfs:///logs", "s3://LOG_BUCKET/logs/"),
        (None, "s3://LOG_BUCKET/logs/"),
    ],
)
def test_relaunch_writes_the_log_uri_with_the_scheme_s3(log_uri: str | None, offered: str) -> None:
    found = words(relaunch(cluster_facts(a_cluster(log_uri=log_uri))))

    assert found[found.index("--log-uri") + 1] == offered


@pytest.mark.parametrize("name", HOSTILE)
def test_relaunch_quotes_hostile_names_as_shell_arguments(name: str) -> None:
    cluster = a_cluster(
        name=name,
        log_uri=f"s3://example-logs/{name}/",
        service_role=f"S{name}",
        instance_profile=name or None,
        release_label=f"emr{name}",
    )

    found = words(relaunch(cluster_facts(cluster), key=f"alias/{name}"))

    assert found[found.index("--name") + 1] == name
    assert found[found.index("--log-uri") + 1] == f"s3://example-logs/{name}/"
    assert found[found.index("--service-role") + 1] == f"S{name}"
    assert found[found.index("--release-label") + 1] == f"emr{name}"
    assert found[found.index("--log-encryption-kms-key-id") + 1] == f"alias/{name}"
    attributes = (f"InstanceProfile={name}", json.dumps({"InstanceProfile": name}))
    assert not name or found[found.index("--ec2-attributes") + 1] in attributes
    assert not name or found[found.index("--instance-profile") + 1] == name
    assert found.count("aws") == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_re_encryption_quotes_hostile_names_as_shell_arguments(name: str) -> None:
    version = ObjectVersion("example-logs", f"{name}/{CLUSTER_ID}/{name}", f"v{name}")

    found = words(reencrypt(log_object_facts(version=version)))

    assert found[found.index("--key") + 1] == version.key
    assert found[found.index("--version-id") + 1] == version.version_id
    assert len(found) == 13


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name])
def test_grant_quotes_hostile_names_as_shell_arguments(name: str) -> None:
    role = service_role_access(role_arn=f"arn:aws:iam::111122223333:role/path/{name}")

    found = words(grant_key(role, KEY))

    assert found[found.index("--role-name") + 1] == name
    assert len(found) == 9


@pytest.mark.parametrize("text", [rule.remediation(cluster_facts()) for rule in CLUSTER_RULES])
def test_comments_for_clusters_contain_no_shell_metacharacters(text: str) -> None:
    comments = [line for line in text.splitlines() if line.startswith("#")]

    assert not set("".join(comments)) & set("'\"`$;&|()<>")


def test_comments_for_log_objects_contain_no_shell_metacharacters() -> None:
    facts = log_object_facts(encryption=encrypted(SSE_C))
    texts = [rule.remediation(facts) for rule in LOG_OBJECT_RULES]
    comments = [line for text in texts for line in text.splitlines() if line.startswith("#")]

    assert comments
    assert not set("".join(comments)) & set("'\"`$;&|()<>")


def test_right_key_is_the_first_approved_one_of_the_region_of_the_cluster() -> None:
    elsewhere = a_key(arn=key_arn(region=OTHER_REGION))
    facts = cluster_facts(log_key=None, approved_keys=approved(elsewhere, ANOTHER_KEY, KEY))

    assert right_key(facts) == ANOTHER_KEY.arn


@pytest.mark.parametrize("log_key", [None, NO_SUCH_KEY, UNREADABLE, KEY])
def test_right_key_is_a_placeholder_without_an_approved_key_of_the_region(
    log_key: KeyFact | None,
) -> None:
    elsewhere = a_key(arn=key_arn(region=OTHER_REGION))
    resolved = approved(elsewhere)[0]
    unresolved = (replace(resolved, arn=UNREADABLE), replace(resolved, arn=NO_SUCH_KEY))

    facts = cluster_facts(log_key=log_key, approved_keys=(*unresolved, resolved))

    assert right_key(facts) == PLACEHOLDER


@pytest.mark.parametrize(
    "own",
    [
        a_key(state=KeyState.UNAVAILABLE),
        a_key(spec="RSA_2048"),
        a_key(manager=KeyManager.AWS),
    ],
)
def test_right_key_is_never_an_unusable_key_of_the_cluster(own: KmsKey) -> None:
    facts = cluster_facts(log_key=own, approved_keys=approved(own, ANOTHER_KEY))

    assert right_key(facts) == ANOTHER_KEY.arn


@pytest.mark.parametrize("own", [KEY, ANOTHER_KEY, a_key(arn=KEY.arn + "0", spec="RSA_2048")])
def test_right_key_may_be_the_usable_approved_key_of_the_cluster(own: KmsKey) -> None:
    facts = cluster_facts(a_cluster(log_uri=None), log_key=own, approved_keys=approved(KEY))

    assert right_key(facts) == KEY.arn


def test_re_encryption_names_the_object_its_version_and_the_cluster_key() -> None:
    version = ObjectVersion("example-logs", f"emr/{CLUSTER_ID}/steps/stderr.gz", "3HL4kqtJlcpXro")

    found = words(reencrypt(log_object_facts(version=version, object_key=ANOTHER_KEY)))

    assert found[:-1] == [
        *("aws", "s3api", "update-object-encryption"),
        *("--region", REGION),
        *("--bucket", version.bucket),
        *("--key", version.key),
        *("--version-id", "3HL4kqtJlcpXro"),
        "--object-encryption",
    ]
    assert json.loads(found[-1]) == {"SSEKMS": {"KMSKeyArn": KEY.arn, "BucketKeyEnabled": True}}


def test_re_encryption_of_an_object_without_a_version_names_none() -> None:
    found = words(reencrypt(log_object_facts(version=a_log_object())))

    assert "--version-id" not in found


def test_re_encryption_for_a_cluster_unknown_to_emr_names_no_region() -> None:
    facts = log_object_facts(cluster=Unresolved("no such cluster"), expected_key=None)

    assert "--region" not in words(reencrypt(facts))


@pytest.mark.parametrize("expected_key", [None, NO_SUCH_KEY, UNREADABLE, AWS_MANAGED])
def test_re_encryption_never_names_a_key_that_violates_another_rule(
    expected_key: KeyFact | None,
) -> None:
    assert "ARN_OF_THE_LOG_KEY" in reencrypt(log_object_facts(expected_key=expected_key))


def test_grant_goes_into_the_key_policy_when_it_does_not_delegate_to_iam() -> None:
    closed = KeyPolicyVerdict(allows=Truth.NO, delegates=Truth.NO, denies=Truth.NO)
    access = service_role_access(identity=IdentityDecision.IMPLICIT_DENY, key_policy=closed)

    get, put = grant_key(access, KEY).splitlines()
    [statement] = json.loads(words(get)[words(get).index("added") + 1])

    assert get.startswith(f"aws kms get-key-policy --region {REGION} --key-id {KEY.arn} ")
    assert "--query Policy --output text | jq" in get
    assert statement == {
        "Sid": statement["Sid"],
        "Effect": "Allow",
        "Principal": {"AWS": access.role_arn},
        "Action": "kms:DescribeKey",
        "Resource": "*",
    }
    assert put.startswith(f"aws kms put-key-policy --region {REGION} --key-id {KEY.arn} ")


@pytest.mark.parametrize(
    ("access", "culprit"),
    [
        (service_role_access(identity=IdentityDecision.EXPLICIT_DENY), "A policy of the role"),
        (service_role_access(identity=IdentityDecision.LIMITED), "The permissions boundary"),
        (
            service_role_access(
                key_policy=KeyPolicyVerdict(allows=Truth.YES, delegates=Truth.YES, denies=Truth.YES)
            ),
            "The key policy denies",
        ),
        (
            service_role_access(
                identity=UndeterminedDecision(frozenset(IdentityDecision), "its condition")
            ),
            "Whether the role EMR_DefaultRole may kms:DescribeKey depends on a condition",
        ),
    ],
)
def test_explicit_denial_is_named_instead_of_a_grant(access: RoleKeyAccess, culprit: str) -> None:
    fix = grant_key(access, KEY)

    assert fix.startswith(f"# {culprit}")
    assert "aws iam" not in fix


def test_fix_for_a_key_of_another_account_names_its_owner() -> None:
    key = a_key(arn=key_arn("1234", account=OTHER_ACCOUNT), state=KeyState.DISABLED)

    note, enable = make_usable(cluster_facts(log_key=key), key).splitlines()

    assert note == f"# In account {OTHER_ACCOUNT}, which owns the key:"
    assert enable == f"aws kms enable-key --region {REGION} --key-id {key.arn}"


@pytest.mark.parametrize(
    ("version_id", "source"),
    [("v1", "logs/j-1/a%20b.gz?versionId=v1"), (None, "logs/j-1/a%20b.gz")],
)
@pytest.mark.parametrize(
    ("algorithm", "target"),
    [("aws:kms:dsse", "aws:kms:dsse"), ("aws:fsx", "aws:kms"), (None, "aws:kms")],
)
def test_object_whose_encryption_cannot_be_updated_is_copied(
    version_id: str | None, source: str, algorithm: str | None, target: str
) -> None:
    facts = log_object_facts(
        version=ObjectVersion("logs", "j-1/a b.gz", version_id),
        encryption=Encryption(algorithm, ANOTHER_KEY.arn),
    )

    assert words(reencrypt(facts)) == [
        *("aws", "s3api", "copy-object", "--region", REGION),
        *("--bucket", "logs", "--key", "j-1/a b.gz"),
        *("--copy-source", source),
        *("--server-side-encryption", target, "--ssekms-key-id", KEY.arn),
    ]
