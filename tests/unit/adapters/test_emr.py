from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from emr_log_guard.adapters.emr import MOST_PAGES, EmrClusters
from emr_log_guard.domain.clusters import Cluster, ClusterSummary, Session, Step, StepState
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.errors import (
    ClusterNotFoundError,
    NotReadableError,
    TemporarilyUnavailableError,
    TerminationNotAcceptedError,
    TerminationRefusedError,
)
from tests.unit.builders import CLUSTER_ID, NOW, a_cluster, reason_of
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

ARN = a_cluster().arn
LEAST: dict[str, Any] = {
    "Id": CLUSTER_ID,
    "ClusterArn": ARN,
    "Name": "nightly-etl",
    "Status": {"State": "RUNNING"},
    "TerminationProtected": False,
}
UNKNOWN = AwsError("InvalidRequestException", f"Cluster id '{CLUSTER_ID}' is not valid.")
NEVER_ANSWERED = EndpointConnectionError(endpoint_url="https://emr.invalid")


@pytest.fixture
def clusters(aws: StubbedAws) -> EmrClusters:
    return EmrClusters(aws.attach(boto3.client("emr")))


def test_describe_cluster_reads_every_evaluated_field(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    aws.answer(
        "DescribeCluster",
        {
            "Cluster": LEAST
            | {
                "LogUri": "s3n://example-logs/emr/",
                "LogEncryptionKmsKeyId": "alias/emr-logs",
                "ReleaseLabel": "emr-7.12.0",
                "RunningAmiVersion": "3.11.0",
                "ServiceRole": "EMR_DefaultRole",
                "Ec2InstanceAttributes": {"IamInstanceProfile": "EMR_EC2_DefaultRole"},
                "TerminationProtected": True,
                "Tags": [{"Key": "team", "Value": "research"}, {"Key": "bare"}],
            }
        },
    )

    assert clusters.describe(CLUSTER_ID) == Cluster(
        id=CLUSTER_ID,
        arn=ARN,
        name="nightly-etl",
        state="RUNNING",
        log_uri="s3n://example-logs/emr/",
        log_key_identifier="alias/emr-logs",
        release_label="emr-7.12.0",
        ami_version="3.11.0",
        service_role="EMR_DefaultRole",
        instance_profile="EMR_EC2_DefaultRole",
        termination_protected=True,
        tags={"team": "research", "bare": ""},
    )
    assert aws.calls == [("DescribeCluster", {"ClusterId": CLUSTER_ID})]


@pytest.mark.parametrize(
    "unset",
    [
        {},
        {
            "LogUri": "",
            "LogEncryptionKmsKeyId": "",
            "ReleaseLabel": "",
            "RunningAmiVersion": "",
            "ServiceRole": "",
            "Ec2InstanceAttributes": {"IamInstanceProfile": ""},
            "Tags": [],
        },
        {"Ec2InstanceAttributes": {}},
    ],
    ids=["absent", "empty", "nothing within"],
)
def test_absent_or_empty_field_is_none(
    aws: StubbedAws, clusters: EmrClusters, unset: dict[str, object]
) -> None:
    aws.answer("DescribeCluster", {"Cluster": LEAST | unset})

    assert clusters.describe(CLUSTER_ID) == Cluster(
        id=CLUSTER_ID, arn=ARN, name="nightly-etl", state="RUNNING"
    )


def test_unknown_cluster_raises_cluster_not_found(aws: StubbedAws, clusters: EmrClusters) -> None:
    aws.answer("DescribeCluster", UNKNOWN)

    with pytest.raises(ClusterNotFoundError, match=r"Cluster id 'j-2AXXXXXXGAPLF' is not valid\."):
        clusters.describe(CLUSTER_ID)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_refused_description_raises_client_error(
    aws: StubbedAws, clusters: EmrClusters, code: str
) -> None:
    aws.answer("DescribeCluster", AwsError(code))

    with pytest.raises(ClientError, match=code):
        clusters.describe(CLUSTER_ID)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (AwsError("ThrottlingException"), "answered ThrottlingException"),
        (AwsError("InternalServerError"), "answered InternalServerError"),
        (NEVER_ANSWERED, "failed with EndpointConnectionError"),
    ],
)
def test_throttled_or_failed_description_raises_temporarily_unavailable(
    aws: StubbedAws, clusters: EmrClusters, answer: Answer, said: str
) -> None:
    aws.answer("DescribeCluster", answer)

    with pytest.raises(TemporarilyUnavailableError, match=f"{CLUSTER_ID} {said}"):
        clusters.describe(CLUSTER_ID)


def test_terminate_calls_emr_with_the_cluster_id(aws: StubbedAws, clusters: EmrClusters) -> None:
    aws.answer("TerminateJobFlows", {})

    clusters.terminate(CLUSTER_ID)

    assert aws.calls == [("TerminateJobFlows", {"JobFlowIds": [CLUSTER_ID]})]


@pytest.mark.parametrize("protected", [True, False])
def test_termination_protection_is_set_for_the_cluster_id(
    aws: StubbedAws,
    clusters: EmrClusters,
    protected: bool,  # noqa: FBT001
) -> None:
    aws.answer("SetTerminationProtection", {})

    clusters.set_termination_protection(CLUSTER_ID, protected=protected)

    assert aws.calls == [
        (
            "SetTerminationProtection",
            {"JobFlowIds": [CLUSTER_ID], "TerminationProtected": protected},
        )
    ]


PROTECTED = AwsError(
    "ValidationException",
    "Could not shut down one or more job flows since they are termination protected.",
)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            PROTECTED,
            TerminationRefusedError,
            (
                "elasticmapreduce:TerminateJobFlows answered ValidationException: "
                "Could not shut down one or more job flows since they are termination protected."
            ),
        ),
        (
            AwsError("AccessDeniedException", "no"),
            TerminationRefusedError,
            "elasticmapreduce:TerminateJobFlows answered AccessDeniedException: no",
        ),
        (UNKNOWN, ClusterNotFoundError, UNKNOWN.message),
        (AwsError("ThrottlingException", "slow down"), TerminationNotAcceptedError, "slow down"),
        (AwsError("InternalServerException", "oh"), TerminationNotAcceptedError, "oh"),
        (NEVER_ANSWERED, EndpointConnectionError, "emr.invalid"),
    ],
)
def test_only_final_answers_to_a_termination_raise_termination_refused(
    aws: StubbedAws,
    clusters: EmrClusters,
    answer: AwsError | Exception,
    error: type[Exception],
    message: str,
) -> None:
    aws.answer("TerminateJobFlows", answer)

    with pytest.raises(error) as raised:
        clusters.terminate(CLUSTER_ID)

    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (AwsError("ValidationException"), TerminationRefusedError),
        (AwsError("AccessDeniedException"), TerminationRefusedError),
        (UNKNOWN, ClusterNotFoundError),
        (AwsError("ThrottlingException"), TerminationNotAcceptedError),
    ],
)
def test_only_final_answers_about_the_protection_raise_termination_refused(
    aws: StubbedAws, clusters: EmrClusters, answer: AwsError, error: type[Exception]
) -> None:
    aws.answer("SetTerminationProtection", answer)

    with pytest.raises(error):
        clusters.set_termination_protection(CLUSTER_ID, protected=False)


def test_cloudwatch_logging_and_its_key_are_read(aws: StubbedAws, clusters: EmrClusters) -> None:
    logs = {"Enabled": True, "EncryptionKeyArn": "arn:key"}
    aws.answer(
        "DescribeCluster",
        {"Cluster": LEAST | {"MonitoringConfiguration": {"CloudWatchLogConfiguration": logs}}},
    )

    cluster = clusters.describe(CLUSTER_ID)

    assert (cluster.cloudwatch_logs, cluster.cloudwatch_key_identifier) == (True, "arn:key")


@pytest.mark.parametrize(
    ("known", "pages"), [({"s-3"}, 1), ({"s-2"}, 2), ({"s-1", "s-2"}, 2), (set(), 3)]
)
def test_new_steps_are_read_up_to_the_first_page_with_a_known_one(
    aws: StubbedAws, clusters: EmrClusters, known: set[str], pages: int
) -> None:
    answers: list[dict[str, Any]] = [
        {"Steps": [{"Id": "s-4"}, {"Id": "s-3"}], "Marker": "1"},
        {"Steps": [{"Id": "s-2"}], "Marker": "2"},
        {"Steps": [{"Id": "s-1"}]},
    ]
    aws.answer("ListSteps", *answers[:pages])

    new = clusters.new_steps(CLUSTER_ID, ["s-4"], known)

    assert not isinstance(new, Unresolved)
    assert [step.id for step in new] == ["s-4", "s-3", "s-2", "s-1"][: pages + 1]
    assert aws.calls[0] == ("ListSteps", {"ClusterId": CLUSTER_ID})
    assert aws.counts == {"ListSteps": pages}


def test_step_that_is_older_than_the_most_pages_is_read_by_its_id_beyond_the_limit(
    aws: StubbedAws,
) -> None:
    """A first page that uses up what the limit allows must not keep the step from being read."""
    first, rest = boto3.client("emr"), boto3.client("emr", region_name="us-east-1")
    reader = EmrClusters(aws.attach(first), aws.attach(rest))
    pages = [{"Steps": [{"Id": f"s-{n}"}], "Marker": str(n)} for n in range(MOST_PAGES)]
    aws.answer("ListSteps", *pages, {"Steps": [{"Id": "s-OLD"}]})

    new = reader.new_steps(CLUSTER_ID, ["s-1", "s-OLD"], ())

    assert not isinstance(new, Unresolved)
    assert [step.id for step in new] == [*(f"s-{n}" for n in range(MOST_PAGES)), "s-OLD"]
    assert aws.calls[-1] == ("ListSteps", {"ClusterId": CLUSTER_ID, "StepIds": ("s-OLD",)})
    assert aws.regions == [first.meta.region_name, *["us-east-1"] * MOST_PAGES]


@pytest.mark.parametrize("wanted", ["s-2", "s-OLD"])
def test_new_steps_are_unknown_if_any_call_is_throttled(
    aws: StubbedAws, clusters: EmrClusters, wanted: str
) -> None:
    """That a step is known means that all older ones are known, too."""
    first = {"Steps": [{"Id": "s-2"}], "Marker": "m"}
    aws.answer("ListSteps", first)
    if wanted == "s-OLD":
        aws.answer("ListSteps", {"Steps": [{"Id": "s-1"}]})
    aws.answer("ListSteps", AwsError("ThrottlingException"))

    new = clusters.new_steps(CLUSTER_ID, [wanted], ("s-1",))

    assert isinstance(new, Unresolved)
    assert new.transient


def test_further_pages_are_read_through_their_own_client(aws: StubbedAws) -> None:
    """A list that has begun does not fail for a limit that the first page has to keep to."""
    first, rest = boto3.client("emr"), boto3.client("emr", region_name="us-east-1")
    reader = EmrClusters(aws.attach(first), aws.attach(rest))
    aws.answer("ListSteps", {"Steps": [{"Id": "s-2"}], "Marker": "m"}, {"Steps": [{"Id": "s-1"}]})

    listed = reader.all_steps(CLUSTER_ID)

    assert not isinstance(listed, Unresolved)
    assert [step.id for step in listed] == ["s-2", "s-1"]
    assert aws.regions == [first.meta.region_name, "us-east-1"]
    assert aws.calls[1] == ("ListSteps", {"ClusterId": CLUSTER_ID, "Marker": "m"})


def test_of_very_many_steps_the_newest_and_the_active_ones_are_read(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    """A cluster may have any number of steps, and a check only a minute."""
    pages = [{"Steps": [{"Id": f"s-{n}"}], "Marker": str(n)} for n in range(MOST_PAGES)]
    running = {"Status": {"State": "RUNNING"}}
    active: list[dict[str, Any]] = [
        {"Steps": [{"Id": "s-0"} | running], "Marker": "more"},
        {"Steps": [{"Id": "s-OLD"} | running]},
    ]
    aws.answer("ListSteps", *pages, *active)

    listed = clusters.all_steps(CLUSTER_ID)

    assert not isinstance(listed, Unresolved)
    assert [each.id for each in listed] == [*(f"s-{n}" for n in range(MOST_PAGES)), "s-OLD"]
    assert [each.id for each in listed if each.state is StepState.RUNNING] == ["s-0", "s-OLD"]
    states = ("PENDING", "CANCEL_PENDING", "RUNNING")
    assert aws.calls[MOST_PAGES:] == [
        ("ListSteps", {"ClusterId": CLUSTER_ID, "StepStates": states}),
        ("ListSteps", {"ClusterId": CLUSTER_ID, "StepStates": states, "Marker": "more"}),
    ]


def test_step_that_may_have_written_a_log_object_is_found_however_old_it_is(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    pages = [{"Steps": [{"Id": f"s-{n}"}], "Marker": str(n)} for n in range(MOST_PAGES + 1)]
    aws.answer("ListSteps", *pages, {"Steps": [{"Id": "s-OLD", "EncryptionKeyArn": "arn:key"}]})

    writers = clusters.log_writers(CLUSTER_ID)

    assert not isinstance(writers, Unresolved)
    assert [each.id for each in writers] == ["s-OLD"]


def test_wanted_step_that_a_long_list_leaves_out_is_read_by_its_id_beyond_the_limit(
    aws: StubbedAws,
) -> None:
    first, rest = boto3.client("emr"), boto3.client("emr", region_name="us-east-1")
    reader = EmrClusters(aws.attach(first), aws.attach(rest))
    pages = [{"Steps": [{"Id": f"s-{n}"}], "Marker": str(n)} for n in range(MOST_PAGES)]
    active: dict[str, Any] = {"Steps": []}
    aws.answer("ListSteps", *pages, active, {"Steps": [{"Id": "s-OLD"}]})

    listed = reader.all_steps(CLUSTER_ID, ["s-0", "s-OLD"])

    assert not isinstance(listed, Unresolved)
    assert [each.id for each in listed][-1] == "s-OLD"
    assert aws.calls[-1] == ("ListSteps", {"ClusterId": CLUSTER_ID, "StepIds": ("s-OLD",)})
    assert aws.regions == [first.meta.region_name, *["us-east-1"] * (MOST_PAGES + 1)]


def test_steps_of_as_many_pages_as_are_read_need_no_further_call(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    pages: list[dict[str, Any]] = [
        {"Steps": [{"Id": f"s-{n}"}], "Marker": str(n)} for n in range(MOST_PAGES - 1)
    ]
    aws.answer("ListSteps", *pages, {"Steps": [{"Id": "s-OLD"}]})

    listed = clusters.all_steps(CLUSTER_ID)

    assert not isinstance(listed, Unresolved)
    assert len(listed) == MOST_PAGES
    assert aws.counts == {"ListSteps": MOST_PAGES}


def test_steps_with_their_own_log_settings_are_read_from_every_page(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    aws.answer(
        "ListSteps",
        {
            "Steps": [
                {"Id": "s-1", "Name": "plain", "LogUri": "", "EncryptionKeyArn": ""},
                {
                    "Id": "s-2",
                    "Name": "elsewhere",
                    "LogUri": "s3://b/",
                    "Status": {
                        "State": "COMPLETED",
                        "Timeline": {"CreationDateTime": NOW, "StartDateTime": NOW},
                    },
                },
            ],
            "Marker": "more",
        },
        {
            "Steps": [
                {
                    "Id": "s-3",
                    "Name": "own key",
                    "EncryptionKeyArn": "arn:key",
                    "Status": {"State": "PENDING", "Timeline": {"CreationDateTime": NOW}},
                }
            ]
        },
    )

    assert clusters.steps(CLUSTER_ID) == (
        Step("s-2", "elsewhere", "s3://b/", None, StepState.COMPLETED, started=True),
        Step("s-3", "own key", None, "arn:key", StepState.PENDING),
    )
    assert aws.counts == {"ListSteps": 2}


def test_step_states_equal_those_of_emr() -> None:
    model = botocore.session.get_session().get_service_model("emr")

    states: Any = model.shape_for("StepState")

    assert {*StepState} == {*states.enum}


@pytest.mark.parametrize("status", [{}, {"State": ""}, {"State": "PAUSED"}])
def test_unknown_step_state_is_none(
    aws: StubbedAws, clusters: EmrClusters, status: dict[str, object]
) -> None:
    step = {"Id": "s-1", "Name": "etl", "LogUri": "s3://b/", "Status": status}
    aws.answer("ListSteps", {"Steps": [step]})

    assert clusters.steps(CLUSTER_ID) == (Step("s-1", "etl", "s3://b/", None, None),)


def test_log_upload_policies_are_read(aws: StubbedAws, clusters: EmrClusters) -> None:
    policies = {"system-logs": "disabled"}
    logs = {"S3LoggingConfiguration": {"LogTypeUploadPolicy": policies}}
    aws.answer("DescribeCluster", {"Cluster": LEAST | {"MonitoringConfiguration": logs}})

    assert clusters.describe(CLUSTER_ID).log_upload_policies == policies


def a_session(number: int, **logs: object) -> dict[str, Any]:
    return {
        "Id": f"is-{number}",
        "ClusterId": CLUSTER_ID,
        "Name": f"ide-{number}",
        "Arn": f"{ARN}/session/is-{number}",
        "State": "IDLE",
        "MonitoringConfiguration": {"S3LoggingConfiguration": logs},
    }


def test_active_sessions_with_their_own_log_settings_are_read_from_every_page(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    bare = {k: v for k, v in a_session(9).items() if k not in ("Name", "MonitoringConfiguration")}
    aws.answer(
        "ListSessions",
        {"Sessions": [a_session(1, LogUri="s3://a/"), bare, a_session(2)], "NextToken": "more"},
        {
            "Sessions": [
                a_session(3, Enabled=True, EncryptionKeyArn="key"),
                a_session(4, Enabled=False, LogUri="s3://off/"),
                a_session(5, LogUri="", EncryptionKeyArn=""),
            ]
        },
    )

    assert clusters.sessions(CLUSTER_ID) == (
        Session("is-1", "ide-1", "s3://a/"),
        Session("is-3", "ide-3", None, "key"),
    )
    asked = {
        "ClusterId": CLUSTER_ID,
        "SessionStates": ("SUBMITTED", "STARTING", "STARTED", "IDLE", "BUSY"),
        "MaxResults": 100,
    }
    assert aws.calls == [
        ("ListSessions", asked),
        ("ListSessions", asked | {"NextToken": "more"}),
    ]


@pytest.mark.parametrize(
    ("monitoring", "session"),
    [
        (
            {"CloudWatchLoggingConfiguration": {"Enabled": True}},
            Session("is-1", "ide-1", cloudwatch_logs=True),
        ),
        (
            {"CloudWatchLoggingConfiguration": {"LogGroup": "ide", "EncryptionKeyArn": "key"}},
            Session("is-1", "ide-1", cloudwatch_logs=True, cloudwatch_key_identifier="key"),
        ),
        (
            {"ManagedLoggingConfiguration": {"Enabled": True}},
            Session("is-1", "ide-1", managed_logs=True),
        ),
        (
            {"ManagedLoggingConfiguration": {"EncryptionKeyArn": "key"}},
            Session("is-1", "ide-1", managed_logs=True, managed_key_identifier="key"),
        ),
        (
            {
                "S3LoggingConfiguration": {"LogUri": "s3://a/"},
                "CloudWatchLoggingConfiguration": {"Enabled": False, "EncryptionKeyArn": "key"},
                "ManagedLoggingConfiguration": {"Enabled": False},
            },
            Session("is-1", "ide-1", "s3://a/"),
        ),
    ],
)
def test_session_with_cloudwatch_or_managed_logs_is_read(
    aws: StubbedAws, clusters: EmrClusters, monitoring: dict[str, object], session: Session
) -> None:
    listed = a_session(1) | {"MonitoringConfiguration": monitoring}
    aws.answer("ListSessions", {"Sessions": [listed]})

    assert clusters.sessions(CLUSTER_ID) == (session,)


@pytest.mark.parametrize(
    "monitoring",
    [
        {},
        {"CloudWatchLoggingConfiguration": {}, "ManagedLoggingConfiguration": {}},
        {"CloudWatchLoggingConfiguration": {"Enabled": False}},
        {"S3LoggingConfiguration": {"Enabled": True, "LogTypes": {"SPARK_DRIVER": ["stdout"]}}},
    ],
)
def test_session_without_log_settings_is_left_out(
    aws: StubbedAws, clusters: EmrClusters, monitoring: dict[str, object]
) -> None:
    listed = a_session(1) | {"MonitoringConfiguration": monitoring}
    aws.answer("ListSessions", {"Sessions": [listed]})

    assert clusters.sessions(CLUSTER_ID) == ()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (AwsError("AccessDeniedException"), "answered AccessDeniedException"),
        (NEVER_ANSWERED, "failed with EndpointConnectionError"),
    ],
)
def test_steps_and_sessions_that_cannot_be_listed_are_unresolved(
    aws: StubbedAws, clusters: EmrClusters, failure: Answer, said: str
) -> None:
    for call, listed in (("ListSteps", clusters.steps), ("ListSessions", clusters.sessions)):
        aws.answer(call, failure)
        reason = reason_of(listed(CLUSTER_ID))
        assert reason == f"elasticmapreduce:{call} on {CLUSTER_ID} {said}"


@pytest.mark.parametrize(("said", "enabled"), [({}, False), ({"SessionEnabled": True}, True)])
def test_sessions_enabled_is_read(
    aws: StubbedAws, clusters: EmrClusters, said: dict[str, bool], *, enabled: bool
) -> None:
    aws.answer("DescribeCluster", {"Cluster": LEAST | said})

    assert clusters.describe(CLUSTER_ID).sessions_enabled is enabled


def test_read_returns_the_described_cluster(aws: StubbedAws, clusters: EmrClusters) -> None:
    aws.answer("DescribeCluster", {"Cluster": LEAST})

    assert clusters.read(CLUSTER_ID) == clusters.describe(CLUSTER_ID)


def test_read_of_an_unknown_cluster_raises_cluster_not_found(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    aws.answer("DescribeCluster", UNKNOWN)

    with pytest.raises(ClusterNotFoundError):
        clusters.read(CLUSTER_ID)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AwsError("AccessDeniedException"), "answered AccessDeniedException"),
        (NEVER_ANSWERED, "failed with EndpointConnectionError"),
    ],
)
def test_read_of_an_unreadable_cluster_is_unresolved_with_the_reason(
    aws: StubbedAws, clusters: EmrClusters, error: Answer, kind: str
) -> None:
    aws.answer("DescribeCluster", error)

    assert reason_of(clusters.read(CLUSTER_ID)) == (
        f"elasticmapreduce:DescribeCluster on {CLUSTER_ID} {kind}"
    )


LISTED = {
    "Id": CLUSTER_ID,
    "Name": "nightly-etl",
    "ClusterArn": ARN,
    "Status": {"State": "WAITING"},
}


def test_clusters_are_listed_from_every_page(aws: StubbedAws, clusters: EmrClusters) -> None:
    aws.answer("ListClusters", {"Clusters": [LISTED], "Marker": "more"}, {"Clusters": [LISTED]})

    summary = ClusterSummary(CLUSTER_ID, "nightly-etl", ARN, "WAITING")
    assert list(clusters.summaries(["WAITING"])) == [summary, summary]
    assert aws.calls == [
        ("ListClusters", {"ClusterStates": ["WAITING"]}),
        ("ListClusters", {"ClusterStates": ["WAITING"], "Marker": "more"}),
    ]


def test_unreadable_page_raises_after_the_clusters_before_it(
    aws: StubbedAws, clusters: EmrClusters
) -> None:
    aws.answer(
        "ListClusters", {"Clusters": [LISTED], "Marker": "more"}, AwsError("AccessDeniedException")
    )
    listing = clusters.summaries(["WAITING"])

    assert next(listing).id == CLUSTER_ID
    with pytest.raises(NotReadableError, match=r"^elasticmapreduce:ListClusters on .* answered"):
        next(listing)


def test_listing_can_be_limited_by_creation_time(aws: StubbedAws, clusters: EmrClusters) -> None:
    aws.answer("ListClusters", {"Clusters": [LISTED]})

    assert list(clusters.summaries(["TERMINATED"], NOW))

    assert aws.calls == [("ListClusters", {"ClusterStates": ["TERMINATED"], "CreatedAfter": NOW})]
