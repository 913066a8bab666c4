"""What a dry run of a re-encryption found: objects, costs, and jobs of S3 Batch Operations."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from emr_log_guard.domain.batch_operations import ReencryptionJob
from emr_log_guard.domain.log_objects import LARGE_BUCKET
from emr_log_guard.domain.log_readers import ComparedReaders
from emr_log_guard.domain.reencryption_cost import (
    Estimate,
    batch_operations_cost,
    reencryption_cost,
)
from emr_log_guard.domain.reencryption_plan import ReencryptionPlan
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.terminal.log_readers import readers_json, readers_text
from emr_log_guard.rules import commands


@dataclass(frozen=True, slots=True)
class DryRun:
    """The result of a dry run."""

    count: int
    """How many objects would be re-encrypted."""
    listed: int
    missed: int
    """How many shards could not be read to the end."""
    plan: ReencryptionPlan
    readers: tuple[ComparedReaders, ...] = ()
    """Who can read, for each change of keys that the plan names."""

    @property
    def large(self) -> bool:
        """Whether S3 Batch Operations re-encrypts them in less time."""
        return self.count >= LARGE_BUCKET

    @property
    def cost(self) -> Estimate:
        """What it costs to have the stack re-encrypt them."""
        return reencryption_cost(self.count, listed=self.listed)

    @property
    def cost_of_jobs(self) -> Estimate:
        """What the jobs cost."""
        return batch_operations_cost(self.plan.jobs)

    @property
    def objects_of_jobs(self) -> int:
        """How many objects the jobs re-encrypt."""
        return sum(job.objects for job in self.plan.jobs)


def dry_run_text(found: DryRun, *, jobs: bool) -> str:
    """Write the result, with the commands for the jobs if asked for."""
    return "".join(_parts(found, jobs=jobs))


def dry_run_json(found: DryRun) -> dict[str, object]:
    """Return the result as a JSON document."""
    plan = found.plan
    return {
        "to_reencrypt": found.count,
        "listed": found.listed,
        "missed_shards": found.missed,
        "keys": [
            {"former": str(each.former), "key_arn": each.key_arn, "objects": each.count}
            for each in plan.changes
        ],
        "more_keys": plan.more_changes,
        "readers": [readers_json(each) for each in found.readers],
        "refused": [{"cause": cause, "objects": count} for cause, count in plan.refused.items()],
        **_costs(found.cost),
        "batch_operations": {
            "objects": found.objects_of_jobs,
            **_costs(found.cost_of_jobs),
            "jobs": [
                {
                    "bucket": job.bucket,
                    "prefix": job.prefix,
                    "former": str(job.former),
                    "key_arn": job.key_arn,
                    "objects": job.objects,
                    "region": job.region,
                    "role_name": job.role_name,
                    "trust_policy": job.trust_policy(),
                    "role_policy": job.role_policy(),
                    "create_job": job.create_job(),
                }
                for job in plan.jobs
            ],
            "more_jobs": plan.more_jobs,
        },
    }


def _parts(found: DryRun, *, jobs: bool) -> Iterator[str]:
    plan = found.plan
    yield f"{found.count:,} of {found.listed:,} log objects would be re-encrypted.\n"
    yield from (
        f"  {each.count:,} from {plain(str(each.former))} to {plain(each.key_arn)}\n"
        for each in plan.changes
    )
    yield _more(plan.more_changes, "pair of keys", "pairs of keys")
    if plan.refused:
        count = sum(plan.refused.values())
        yield f"{count:,} violate the policy and cannot be re-encrypted:\n"
        yield from (f"  {count:,}: {plain(cause)}\n" for cause, count in plan.refused.items())
    yield readers_text(found.readers)
    if not found.count:
        return
    yield "Cost, if the stack re-encrypts them:\n"
    yield cost_table(found.cost)
    if not plan.jobs:
        yield (
            "No job of S3 Batch Operations can select them without other objects: see "
            "docs/reencryption.md.\n"
        )
        return
    yield f"Cost, if S3 Batch Operations re-encrypts {found.objects_of_jobs:,} of them:\n"
    yield cost_table(found.cost_of_jobs)
    if not jobs:
        yield "To print these jobs, use --batch-job.\n"
        return
    for number, job in enumerate(plan.jobs, 1):
        yield f"\n# Job {number} of {len(plan.jobs)}, for at most {job.objects:,} objects.\n"
        yield batch_job_guide(job)
    yield _more(plan.more_jobs, "smaller job", "smaller jobs")


def _more(count: int, one: str, several: str) -> str:
    return f"  and {count:,} more {one if count == 1 else several}\n" if count else ""


def _costs(estimate: Estimate) -> dict[str, object]:
    charges = [
        {"what": each.what, "count": each.count, "usd": each.usd} for each in estimate.charges
    ]
    return {"charges": charges, "usd": estimate.usd}


def cost_table(estimate: Estimate) -> str:
    """Write an estimate as a table: what, how many, and USD."""
    rows = [
        (charge.what, f"{charge.count:,}", f"{charge.usd:,.2f}")
        for charge in estimate.charges
        if charge.count
    ]
    rows.append(("all, at the list prices of us-east-1", "", f"{estimate.usd:,.2f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        f"  {what:<{widths[0]}}  {count:>{widths[1]}}  {usd:>{widths[2]}} USD\n"
        for what, count, usd in rows
    )


def batch_job_guide(job: ReencryptionJob) -> str:
    """Write the commands that create, confirm and clean up a job of S3 Batch Operations.

    Comments have no quotes: some shells parse comments.
    """
    role = quote(job.role_name)
    region = f"--region {quote(job.region)}"
    created = f'{region} --account-id {quote(job.account)} --job-id "$JOB"'
    fields = quote("Job.[Status, ProgressSummary, FailureReasons]")
    trust, request = quote(_json(job.trust_policy())), quote(_json(job.create_job()))
    return f"""\
# 1. The role that S3 Batch Operations assumes. Where a key policy does not delegate to IAM, allow
#    the role the same there.
aws iam create-role --role-name {role} --assume-role-policy-document {trust}
{commands.put_role_policy(job.role_name, job.role_name, _json(job.role_policy()))}

# 2. The job, for which you need s3:CreateJob and iam:PassRole. S3 lists the objects, then waits.
JOB=$(aws s3control create-job {region} --cli-input-json {request} --query JobId --output text)

# 3. Once the status is Suspended, compare the number of tasks. More than {job.objects:,} may be old
#    versions, which only --deep checks: then request Cancelled instead of Ready.
aws s3control describe-job {created} --query {fields}

# 4. Start it.
aws s3control update-job-status {created} --requested-job-status Ready

# 5. Once the status is Complete, remove the role. A dry run shows what is left.
aws iam delete-role-policy --role-name {role} --policy-name {role}
aws iam delete-role --role-name {role}
"""


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document)
