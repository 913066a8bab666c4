import json
import shlex
from dataclasses import replace
from datetime import date

import botocore.session
import pytest
from botocore.validate import ParamValidator

from emr_log_guard.domain.batch_operations import ReencryptionJob
from emr_log_guard.domain.log_readers import ReaderChange, Readers, UndeterminedReader
from emr_log_guard.domain.reencryption_cost import batch_job_cost, reencryption_cost
from emr_log_guard.rendering.terminal.reencryption import (
    batch_job_guide,
    cost_table,
    new_readers,
    reader_change,
)
from tests.docs import aws_cli
from tests.unit.builders import ACCOUNT, KEY, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role/LogReaders"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
GUEST = UndeterminedReader(f"arn:aws:iam::{ACCOUNT}:role/Guests", "its condition on aws:SourceVpc")
JOB = ReencryptionJob(
    account=ACCOUNT,
    bucket="example-logs",
    prefix="logs/j-2AXXXXXXGAPLF/",
    former_key=None,
    key_arn=KEY.arn,
    report_bucket="example-reports",
    day=date(2026, 6, 1),
)
HOSTILE = ["it's", '$(reboot) "`reboot`"', "'; DROP", "#\n&& reboot", "ünïcode 日本"]


def commands(job: ReencryptionJob) -> list[list[str]]:
    """Read the words behind each `aws` of the guide as a shell does."""
    guide = batch_job_guide(job).replace("JOB=$(aws", "aws").replace("--output text)", "")
    return [
        shlex.split(line)[1:] for line in guide.splitlines() if line and not line.startswith("#")
    ]


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_table_has_a_line_for_each_charge_and_the_sum() -> None:
    assert cost_table(reencryption_cost(2_000, listed=1_000_000)) == (
        "  list requests                             1,000  0.01 USD\n"
        "  HeadObject                            1,002,000  0.40 USD\n"
        "  UpdateObjectEncryption                    2,000  0.01 USD\n"
        "  KMS requests, at most                     4,000  0.01 USD\n"
        "  all, at the list prices of us-east-1             0.43 USD\n"
    )


def test_table_leaves_out_what_is_not_needed() -> None:
    assert "manifests" not in cost_table(batch_job_cost(1, 1, in_buckets=0))


def test_readers_who_lose_access_come_first() -> None:
    text = reader_change(ReaderChange((ROLE,), (ROOT,), (GUEST,)))

    assert text.startswith(f"These can read now, and could not then:\n  {ROLE}\n")
    assert f"name the new one, too:\n  {ROOT}\n" in text
    assert text.endswith(f"  {GUEST.principal}: its condition on aws:SourceVpc\n")


def test_text_without_lost_access_mentions_unread_grants() -> None:
    text = reader_change(ReaderChange())

    assert text == "By the key policies, no principal loses access. Grants were not read.\n"


def test_new_readers_are_listed_when_everybody_can_read_now() -> None:
    text = new_readers(Readers((ROLE,), (ROOT,), (GUEST,)))

    assert text.startswith("Everybody can read now")
    assert f"Then, only these can read:\n  {ROLE}\n" in text
    assert f"on the new key:\n  {ROOT}\n" in text
    assert GUEST.principal in text


def test_key_policy_without_readers_says_so() -> None:
    assert new_readers(Readers()).endswith("lets no principal read.\n")


def test_control_characters_of_a_principal_are_escaped() -> None:
    assert "\x1b" not in reader_change(ReaderChange(("\x1b[2J",)))


def test_guide_creates_confirms_and_cleans_up_the_job() -> None:
    assert [tuple(command[:2]) for command in commands(JOB)] == [
        ("iam", "create-role"),
        ("iam", "put-role-policy"),
        ("s3control", "create-job"),
        ("s3control", "describe-job"),
        ("s3control", "update-job-status"),
        ("iam", "delete-role-policy"),
        ("iam", "delete-role"),
    ]


def test_commands_match_the_models_of_the_aws_cli() -> None:
    for command in commands(JOB):
        assert not list(aws_cli.problems(tuple(command), whole=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_commands_contain_the_job_unchanged_with_hostile_prefixes(text: str) -> None:
    job = replace(JOB, prefix=f"{text}/")
    create_role, put_policy, create_job, *_ = commands(job)

    assert json.loads(option(create_role, "--assume-role-policy-document")) == job.trust_policy()
    assert json.loads(option(put_policy, "--policy-document")) == job.role_policy()
    assert json.loads(option(create_job, "--cli-input-json")) == job.create_job()
    assert option(create_job, "--region") == REGION


def test_request_in_the_command_matches_the_model_of_s3_control() -> None:
    [request] = [
        json.loads(option(command, "--cli-input-json"))
        for command in commands(JOB)
        if "--cli-input-json" in command
    ]
    model = botocore.session.Session().get_service_model("s3control")

    report = ParamValidator().validate(request, model.shape_for("CreateJobRequest"))

    assert not report.has_errors(), report.generate_report()


def test_statuses_are_those_of_s3_control() -> None:
    model = botocore.session.Session().get_service_model("s3control")
    update = next(each for each in commands(JOB) if "update-job-status" in each)

    requested = option(update, "--requested-job-status")
    assert requested in model.shape_for("RequestedJobStatus").metadata["enum"]
    statuses = model.shape_for("JobStatus").metadata["enum"]
    assert {"Suspended", "Complete"} <= {*statuses}
    assert all(
        f"status is {status}" in batch_job_guide(JOB) for status in ("Suspended", "Complete")
    )


def test_comments_have_no_quotes() -> None:
    comments = [line for line in batch_job_guide(JOB).splitlines() if line.startswith("#")]

    assert len(comments) == 6
    assert not any(quote in line for line in comments for quote in "'\"`")
