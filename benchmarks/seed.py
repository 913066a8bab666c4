"""The clusters and logs that the benchmarks are run against, made the same way every time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sandbox import Sandbox
from sandbox.estate import Estate

KEYS = 4
"""Customer-managed keys that the good clusters share."""


def seed_clusters(account: Sandbox, number: int) -> int:
    """Launch clusters: every fourth has no log key, every fourth an AWS-managed one.

    Returns:
        How many of them break a rule.

    """
    estate = Estate(account)
    estate.make_log_bucket()
    roles = estate.make_roles()
    keys = [estate.make_key(f"logs-{place}") for place in range(KEYS)]
    aws_managed = account.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]

    def launch(place: int) -> None:
        key = {0: None, 1: aws_managed}.get(place % 4, keys[place // 4 % KEYS])
        estate.launch(f"cluster-{place:05}", LogEncryptionKmsKeyId=key, **roles)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(launch, range(number)))
    return sum(place % 4 in (0, 1) for place in range(number))


@dataclass(frozen=True, slots=True)
class Logs:
    """Log objects of two clusters, as a server that is quick enough has to know them."""

    key: str
    """The first cluster's key."""
    wrong: int
    """How many are not under their own cluster's key."""
    heads: dict[str, dict[str, str]]
    """The headers of a HeadObject, by key."""


def seed_objects(account: Sandbox, number: int) -> Logs:
    """Launch two clusters with a key each, and lay out their logs.

    Every fourth log is in SSE-S3, and every fourth under the other cluster's key, which makes it
    wrong for one and would be right for the other.
    """
    estate = Estate(account)
    keys = [estate.make_key(f"logs-{place}") for place in range(2)]
    clusters = [
        estate.launch(f"cluster-{place}", LogEncryptionKmsKeyId=key)
        for place, key in enumerate(keys)
    ]
    heads, wrong = {}, 0
    for place in range(number):
        owner, kind = place % 2, place // 2 % 4
        key = keys[1 - owner if kind == 1 else owner]
        heads[f"clusters/{clusters[owner]}/node/i-{place:07}/daemon.gz"] = (
            {"x-amz-server-side-encryption": "AES256"}
            if kind == 0
            else {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": key,
            }
        )
        wrong += kind in {0, 1}
    return Logs(keys[0], wrong, heads)
