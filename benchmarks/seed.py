"""The clusters and logs that the benchmarks use, created the same way every time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sandbox import Sandbox
from sandbox.fixtures import Fixtures

KEYS = 4
"""The number of customer-managed keys that compliant clusters share."""


def seed_clusters(account: Sandbox, number: int) -> int:
    """Launch clusters: every fourth has no log key, every fourth has an AWS-managed one.

    Returns:
        The number of non-compliant clusters.
    """
    fixtures = Fixtures(account)
    fixtures.make_log_bucket()
    roles = fixtures.make_roles()
    keys = [fixtures.make_key(f"logs-{place}") for place in range(KEYS)]
    aws_managed = account.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]

    def launch(place: int) -> None:
        key = {0: None, 1: aws_managed}.get(place % 4, keys[place // 4 % KEYS])
        fixtures.launch(f"cluster-{place:05}", LogEncryptionKmsKeyId=key, **roles)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(launch, range(number)))
    return sum(place % 4 in (0, 1) for place in range(number))


@dataclass(frozen=True, slots=True)
class Logs:
    """Log objects of two clusters, in the form that the plain S3 server needs."""

    key: str
    """The first cluster's key."""
    wrong: int
    """The number of objects that are not encrypted with their own cluster's key."""
    heads: dict[str, dict[str, str]]
    """The response headers of HeadObject, by key."""


def seed_objects(account: Sandbox, number: int) -> Logs:
    """Launch two clusters with different keys, and define their logs.

    Every fourth log object uses SSE-S3, and every fourth uses the other cluster's key, so it would
    be compliant only in the other cluster.
    """
    fixtures = Fixtures(account)
    keys = [fixtures.make_key(f"logs-{place}") for place in range(2)]
    clusters = [
        fixtures.launch(f"cluster-{place}", LogEncryptionKmsKeyId=key)
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
