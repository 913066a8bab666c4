"""Patches for MiniStack where it differs from AWS in ways that matter here, one module each.

The first line of a module says which AWS behaviour it restores, and whether the patch can be
offered to MiniStack upstream. Each module links the AWS page that it follows and has its own test
in `tests/sandbox`, which uses only boto3: once the test passes without a patch, delete the patch.
"""

from sandbox.emulator_patches import (
    cloudformation_bucket_encryption,
    cloudformation_metric_math_alarms,
    cloudformation_state_machines,
    cloudformation_tables,
    cloudformation_topic_keys,
    cloudtrail_events,
    cloudwatch_embedded_metrics,
    emr_clusters,
    emr_life,
    emr_permissions,
    emr_quotas,
    emr_sessions,
    emr_steps,
    emr_termination,
    iam_permissions,
    iam_secure_transport,
    iam_simulation,
    iam_special_characters,
    kms_alias_permissions,
    kms_aws_managed_keys,
    kms_key_states,
    kms_missing_aliases,
    lambda_batching_windows,
    lambda_environments,
    lambda_layers,
    lambda_queue_permissions,
    s3_bucket_keys,
    s3_bucket_owners,
    s3_encryption,
    s3_encryption_conditions,
    s3_missing_objects,
    s3_update_object_encryption,
    scheduler_schedules,
    sns_encryption,
    ssm_parameter_events,
    stepfunctions_map_concurrency,
)

CORRECTIONS = (
    emr_clusters,
    emr_life,
    emr_permissions,
    emr_sessions,
    emr_steps,
    emr_termination,
    emr_quotas,
    iam_permissions,
    iam_secure_transport,
    iam_simulation,
    iam_special_characters,
    kms_alias_permissions,
    kms_aws_managed_keys,
    kms_key_states,
    kms_missing_aliases,
    lambda_batching_windows,
    lambda_environments,
    lambda_layers,
    lambda_queue_permissions,
    s3_encryption,
    s3_encryption_conditions,
    s3_bucket_keys,
    s3_update_object_encryption,
    s3_bucket_owners,
    s3_missing_objects,
    scheduler_schedules,
    sns_encryption,
    ssm_parameter_events,
    stepfunctions_map_concurrency,
    cloudformation_tables,
    cloudformation_bucket_encryption,
    cloudformation_state_machines,
    cloudformation_topic_keys,
    cloudformation_metric_math_alarms,
    cloudtrail_events,
    cloudwatch_embedded_metrics,
)
"""In the order of installation: a later patch wraps an earlier one."""


def install() -> None:
    """Patch the MiniStack of this process."""
    for correction in CORRECTIONS:
        correction.install()
