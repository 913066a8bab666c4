"""The rules: one per file, all of them in these tuples."""

from emr_log_guard.domain.clusters import ClusterFacts, LogBucket
from emr_log_guard.domain.log_objects import LogObjectFacts
from emr_log_guard.rules import (
    emrlog_001_log_archive_enabled,
    emrlog_002_log_key_configured,
    emrlog_003_release_supports_log_key,
    emrlog_004_log_key_customer_managed,
    emrlog_005_log_key_usable,
    emrlog_006_log_key_approved,
    emrlog_007_roles_can_use_log_key,
    emrlog_008_steps_keep_the_cluster_key,
    emrlog_009_log_bucket_sends_events,
    emrlog_010_cloudwatch_logs_customer_key,
    emrlog_011_log_key_rotation_enabled,
    emrlog_012_no_service_retained_logs,
    emrlog_013_log_bucket_owned,
    emrlog_101_log_object_kms_encrypted,
    emrlog_102_log_object_customer_managed_key,
    emrlog_103_log_object_cluster_key,
    emrlog_201_log_key_available,
)
from emr_log_guard.rules.rule import Rule

CLUSTER_RULES: tuple[Rule[ClusterFacts], ...] = (
    emrlog_001_log_archive_enabled.RULE,
    emrlog_002_log_key_configured.RULE,
    emrlog_003_release_supports_log_key.RULE,
    emrlog_004_log_key_customer_managed.RULE,
    emrlog_005_log_key_usable.RULE,
    emrlog_006_log_key_approved.RULE,
    emrlog_007_roles_can_use_log_key.RULE,
    emrlog_008_steps_keep_the_cluster_key.RULE,
    emrlog_010_cloudwatch_logs_customer_key.RULE,
    emrlog_011_log_key_rotation_enabled.RULE,
    emrlog_012_no_service_retained_logs.RULE,
    emrlog_013_log_bucket_owned.RULE,
    emrlog_201_log_key_available.RULE,
)
BUCKET_RULES: tuple[Rule[LogBucket], ...] = (emrlog_009_log_bucket_sends_events.RULE,)
LOG_OBJECT_RULES: tuple[Rule[LogObjectFacts], ...] = (
    emrlog_101_log_object_kms_encrypted.RULE,
    emrlog_102_log_object_customer_managed_key.RULE,
    emrlog_103_log_object_cluster_key.RULE,
)
ALL_RULES: tuple[Rule[ClusterFacts] | Rule[LogBucket] | Rule[LogObjectFacts], ...] = tuple(
    sorted((*CLUSTER_RULES, *BUCKET_RULES, *LOG_OBJECT_RULES), key=lambda rule: rule.id)
)
