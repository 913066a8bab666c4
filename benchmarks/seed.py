"""The clusters and logs that the benchmarks are run against, made the same way every time."""

from concurrent.futures import ThreadPoolExecutor

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
    roles = estate.make_roles()
    keys = [estate.make_key(f"logs-{place}") for place in range(KEYS)]
    aws_managed = account.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]

    def launch(place: int) -> None:
        key = {0: None, 1: aws_managed}.get(place % 4, keys[place // 4 % KEYS])
        estate.launch(f"cluster-{place:05}", LogEncryptionKmsKeyId=key, **roles)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(launch, range(number)))
    return sum(place % 4 in (0, 1) for place in range(number))
