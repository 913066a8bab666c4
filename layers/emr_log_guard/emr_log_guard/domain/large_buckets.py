"""From some size on, reading log object by log object is the wrong engine.

The arithmetic: docs/adr/0013-what-a-rescan-costs.md
"""

from collections.abc import Mapping

LARGE = 10_000_000
"""From so many objects in a bucket on, S3 Metadata tables are the better engine."""


def advice_on(listed: Mapping[str, int]) -> tuple[str, ...]:
    """Name the buckets of which S3 Metadata tables would tell cheaper.

    Args:
        listed: How many log objects were listed, by bucket.

    """
    return tuple(
        f"{count:,} log objects were listed in {bucket}: from here on an S3 Metadata "
        f"inventory table of the bucket, queried with Athena for kms_key_arn, is cheaper "
        f"and faster than a deep re-scan. See docs/adr/0013-what-a-rescan-costs.md"
        for bucket, count in listed.items()
        if count >= LARGE
    )
