import pytest

from emr_log_guard.domain.clusters import LogBucket
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.rules.emrlog_009_log_bucket_sends_events import RULE

DENIED = Unresolved("s3:GetBucketNotificationConfiguration on b answered AccessDenied")
SILENT = LogBucket("example-logs", sends_events=False)
UNLISTED = LogBucket("example-logs", sends_events=True, checked=False)


@pytest.mark.parametrize(
    ("bucket", "compliance", "summary"),
    [
        (
            LogBucket("example-logs", sends_events=True),
            Compliance.COMPLIANT,
            "log objects are checked when they are created: example-logs",
        ),
        (
            SILENT,
            Compliance.NON_COMPLIANT,
            "log objects are not checked: example-logs sends no events to EventBridge",
        ),
        (
            UNLISTED,
            Compliance.NON_COMPLIANT,
            "log objects are not checked: example-logs is not in the stack's LogBuckets",
        ),
        (
            LogBucket("example-logs", sends_events=DENIED, checked=False),
            Compliance.NON_COMPLIANT,
            "log objects are not checked: example-logs is not in the stack's LogBuckets",
        ),
        (
            LogBucket("example-logs", sends_events=DENIED),
            Compliance.INSUFFICIENT_DATA,
            DENIED.reason,
        ),
        (
            LogBucket("example-logs", sends_events=None, checked=False),
            Compliance.NOT_APPLICABLE,
            "there is no bucket example-logs",
        ),
    ],
)
def test_bucket_complies_if_it_sends_events_that_the_stack_checks(
    bucket: LogBucket, compliance: Compliance, summary: str
) -> None:
    outcome = RULE.check(bucket)

    assert (outcome.compliance, outcome.summary) == (compliance, summary)


def test_the_fix_adds_to_the_configuration_and_replaces_nothing() -> None:
    get, put = RULE.remediation(SILENT).splitlines()

    assert get.startswith("aws s3api get-bucket-notification-configuration --bucket example-logs |")
    assert "add + {EventBridgeConfiguration: {}}" in get
    assert put.endswith("--notification-configuration file://notifications.json")


def test_fix_for_an_unlisted_bucket_is_the_parameter_of_the_stack() -> None:
    assert RULE.remediation(UNLISTED) == (
        "# Add to the parameter LogBuckets of the stack and deploy it: example-logs"
    )
