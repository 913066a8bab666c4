"""What a re-encryption of log objects costs, who can read them afterwards, and the job for many."""

import json
from collections.abc import Iterable, Mapping
from shlex import quote

from emr_log_guard.domain.batch_operations import ReencryptionJob
from emr_log_guard.domain.log_readers import ReaderChange, Readers, UndeterminedReader
from emr_log_guard.domain.reencryption_cost import Estimate
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rules import commands

_IDENTITY_POLICIES = (
    "Identity policies decide in these accounts: those that name the former key have to name the "
    "new one, too"
)


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


def reader_change(change: ReaderChange) -> str:
    """Write who can read now and could not with the new key. Grants are not read."""
    return (
        "".join(
            (
                _listed("These can read now, and could not then", change.lost),
                _listed(_IDENTITY_POLICIES, change.by_identity_policies),
                _undetermined(change.undetermined),
            )
        )
        or "By the key policies, no principal loses access. Grants were not read.\n"
    )


def new_readers(readers: Readers) -> str:
    """Write who can read with the new key, for objects that everybody can read whom S3 lets."""
    now = (
        "Everybody can read now whom S3 lets: the current encryption needs no permission on a "
        "customer-managed key.\n"
    )
    delegated = (
        "Then, identity policies decide in these accounts: they have to allow kms:Decrypt on the "
        "new key"
    )
    then = (
        _listed("Then, only these can read", readers.allowed),
        _listed(delegated, readers.by_identity_policies),
        _undetermined(readers.undetermined),
    )
    return now + ("".join(then) or "Then, its key policy lets no principal read.\n")


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

# 3. Once the status is Suspended, compare the number of tasks with the number of objects.
aws s3control describe-job {created} --query {fields}

# 4. Start it.
aws s3control update-job-status {created} --requested-job-status Ready

# 5. Once the status is Complete, remove the role. The report names what failed; a re-scan is proof.
aws iam delete-role-policy --role-name {role} --policy-name {role}
aws iam delete-role --role-name {role}
"""


def _listed(title: str, principals: Iterable[str]) -> str:
    lines = "".join(f"  {plain(principal)}\n" for principal in principals)
    return f"{title}:\n{lines}" if lines else ""


def _undetermined(readers: Iterable[UndeterminedReader]) -> str:
    return _listed(
        "Of these, the key policies do not tell whether they could read",
        (f"{each.principal}: {each.reason}" for each in readers),
    )


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document)
