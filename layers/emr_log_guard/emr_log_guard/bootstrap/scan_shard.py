"""The wiring of scan_shard: EMR and S3 are asked as fast as they let us, by all threads.

What one kind of shard needs is imported and made at the first shard of that kind: many environments
never see the other, and this function has a whole processor then, too.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from emr_log_guard.adapters.rescan_results import S3RescanResults
from emr_log_guard.bootstrap.patience import patient_session
from emr_log_guard.config import Settings, required
from emr_log_guard.usecases.scan_shard import ScanShard

if TYPE_CHECKING:
    from emr_log_guard.usecases.scan_clusters import ScanClusters
    from emr_log_guard.usecases.scan_log_objects import ScanLogObjects


def scan_shard(env: Mapping[str, str]) -> ScanShard:
    """Wire a re-scan's shard."""
    settings = Settings.from_env(env)
    session, region = patient_session(), required(env, "AWS_DEFAULT_REGION")

    @cache
    def clusters() -> "ScanClusters":
        from emr_log_guard.bootstrap.scan_clusters import scan_clusters  # noqa: PLC0415 - see above

        return scan_clusters(settings, env, session, region)

    @cache
    def log_objects() -> "ScanLogObjects":
        from emr_log_guard.bootstrap.scan_log_objects import scan_log_objects  # noqa: PLC0415

        return scan_log_objects(settings, session, region)

    results = S3RescanResults(session.s3(region), required(env, "REPORTS_BUCKET_NAME"))
    return ScanShard(clusters, log_objects, results)
