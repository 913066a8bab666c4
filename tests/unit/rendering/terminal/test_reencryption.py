import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.validate import ParamValidator

from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.log_readers import ComparedReaders, Readers
from emr_log_guard.domain.reencryption_cost import reencryption_cost
from emr_log_guard.domain.reencryption_plan import KeyChange, ReencryptionPlan
from emr_log_guard.rendering.terminal.log_readers import readers_json, readers_text
from emr_log_guard.rendering.terminal.reencryption import (
    DryRun,
    batch_job_guide,
    cost_table,
    dry_run_json,
    dry_run_text,
)
from tests.docs import aws_cli
from tests.unit.builders import ACCOUNT, KEY, REGION

JOB = ReencryptionJob(
    account=ACCOUNT,
    bucket="example-logs",
    prefix="logs/j-2AXXXXXXGAPLF/",
    former=FormerEncryption(),
    key_arn=KEY.arn,
    created_before=datetime(2026, 6, 1, 12, tzinfo=UTC),
    objects=900_000,
    in_bucket=2_000_000,
)
PLAN = ReencryptionPlan(
    changes=(KeyChange(FormerEncryption(), KEY.arn, 1_000_000),),
    refused={"it is not encrypted": 3},
    jobs=(JOB,),
)
FOUND = DryRun(1_000_000, 2_000_000, 0, PLAN)
SUMMARY = f"""\
1,000,000 of 2,000,000 log objects would be re-encrypted.
  1,000,000 from SSE-S3 to {KEY.arn}
3 violate the policy and cannot be re-encrypted:
  3: it is not encrypted
Cost, if the stack re-encrypts them:
  list requests                             2,000   0.01 USD
  HeadObject                            3,000,000   1.20 USD
  UpdateObjectEncryption                1,000,000   5.00 USD
  KMS requests, at most                 2,000,000   6.00 USD
  all, at the list prices of us-east-1             12.21 USD
Cost, if S3 Batch Operations re-encrypts 900,000 of them:
  S3 Batch Operations jobs                      1   0.25 USD
  objects that the jobs list, at least  2,000,000   0.03 USD
  objects that the jobs process           900,000   0.90 USD
  UpdateObjectEncryption                  900,000   4.50 USD
  KMS requests, at most                 1,800,000   5.40 USD
  all, at the list prices of us-east-1             11.08 USD
"""
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
    assert "UpdateObjectEncryption" not in cost_table(reencryption_cost(0, listed=1))


def test_dry_run_compares_both_ways_and_names_the_option_for_jobs() -> None:
    assert dry_run_text(FOUND, jobs=False) == f"{SUMMARY}To print these jobs, use --batch-job.\n"


def test_jobs_follow_if_asked_for() -> None:
    guide = batch_job_guide(JOB)

    text = dry_run_text(FOUND, jobs=True)

    assert text == f"{SUMMARY}\n# Job 1 of 1, for at most 900,000 objects.\n{guide}"


def test_what_is_not_named_is_counted() -> None:
    plan = replace(PLAN, more_changes=1, more_jobs=1_000)

    text = dry_run_text(replace(FOUND, plan=plan), jobs=True)

    assert f"to {KEY.arn}\n  and 1 more pair of keys\n" in text
    assert text.endswith("  and 1,000 more smaller jobs\n")


def test_dry_run_says_when_there_can_be_no_job() -> None:
    text = dry_run_text(replace(FOUND, plan=replace(PLAN, jobs=())), jobs=True)

    assert "12.21 USD\nNo job of S3 Batch Operations can select them" in text


def test_dry_run_that_finds_nothing_has_no_costs() -> None:
    found = DryRun(0, 5, 0, ReencryptionPlan())

    assert dry_run_text(found, jobs=True) == "0 of 5 log objects would be re-encrypted.\n"


def test_readers_come_before_costs() -> None:
    compared = ComparedReaders(PLAN.changes[0], Readers())
    found = replace(FOUND, readers=(compared,))

    text = dry_run_text(found, jobs=False)

    before, _, after = text.partition(readers_text([compared]))
    assert before.endswith("  3: it is not encrypted\n")
    assert after.startswith("Cost, ")
    assert dry_run_json(found)["readers"] == [readers_json(compared)]


def test_control_characters_are_escaped() -> None:
    hostile = "\x1b[2J"
    changes = (KeyChange(FormerEncryption(hostile), hostile, 1),)
    plan = replace(PLAN, changes=changes, refused={hostile: 1})

    assert "\x1b" not in dry_run_text(replace(FOUND, plan=plan), jobs=False)


@pytest.mark.parametrize(("count", "large"), [(9_999_999, False), (10_000_000, True)])
def test_many_objects_are_for_batch_operations(count: int, *, large: bool) -> None:
    assert replace(FOUND, count=count).large is large


def test_json_carries_counts_costs_and_jobs() -> None:
    found = dry_run_json(FOUND)

    assert json.loads(json.dumps(found)) == {
        "to_reencrypt": 1_000_000,
        "listed": 2_000_000,
        "missed_shards": 0,
        "keys": [{"former": "SSE-S3", "key_arn": KEY.arn, "objects": 1_000_000}],
        "more_keys": 0,
        "readers": [],
        "refused": [{"cause": "it is not encrypted", "objects": 3}],
        "charges": [
            {"what": each.what, "count": each.count, "usd": each.usd} for each in FOUND.cost.charges
        ],
        "usd": FOUND.cost.usd,
        "batch_operations": {
            "objects": 900_000,
            "charges": [
                {"what": each.what, "count": each.count, "usd": each.usd}
                for each in FOUND.cost_of_jobs.charges
            ],
            "usd": FOUND.cost_of_jobs.usd,
            "jobs": [
                {
                    "bucket": JOB.bucket,
                    "prefix": JOB.prefix,
                    "former": "SSE-S3",
                    "key_arn": KEY.arn,
                    "objects": 900_000,
                    "region": REGION,
                    "role_name": JOB.role_name,
                    "trust_policy": JOB.trust_policy(),
                    "role_policy": JOB.role_policy(),
                    "create_job": JOB.create_job(),
                }
            ],
            "more_jobs": 0,
        },
    }


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
    job = replace(JOB, bucket=text, prefix=f"{text}/")
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

    requestable = model.shape_for("RequestedJobStatus").metadata["enum"]
    assert {option(update, "--requested-job-status"), "Cancelled"} <= {*requestable}
    assert "request Cancelled instead of Ready" in batch_job_guide(JOB)
    statuses = model.shape_for("JobStatus").metadata["enum"]
    assert {"Suspended", "Complete"} <= {*statuses}
    assert all(
        f"status is {status}" in batch_job_guide(JOB) for status in ("Suspended", "Complete")
    )


def test_comments_have_no_quotes() -> None:
    comments = [line for line in batch_job_guide(JOB).splitlines() if line.startswith("#")]

    assert len(comments) == 7
    assert not any(quote in line for line in comments for quote in "'\"`")
