"""The command `prepare`: the policies and settings that a new cluster needs."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import Profile, checked_region, format_of
from emr_log_guard.cli.prepare_inputs import (
    Lookup,
    account_id,
    cluster_name,
    key_identifier,
    log_location,
    named,
)
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.clusters import Cluster, ClusterFacts
from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.keys import KeyFact
from emr_log_guard.domain.preparation import Preparation
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.terminal.preparation import (
    cloudformation,
    guide,
    machine,
    shell,
    terraform,
)
from emr_log_guard.rules import emrlog_003_release_supports_log_key as release_supports
from emr_log_guard.rules import emrlog_004_log_key_customer_managed as customer_managed
from emr_log_guard.rules import emrlog_005_log_key_usable as usable
from emr_log_guard.rules.remediation import LATEST_RELEASE


class Format(StrEnum):
    """What is printed."""

    TEXT = "text"
    JSON = "json"
    SHELL = "shell"
    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"


_RENDERED: Mapping[Format, Callable[[Preparation], str]] = {
    Format.TEXT: guide,
    Format.SHELL: shell,
    Format.CLOUDFORMATION: cloudformation,
    Format.TERRAFORM: terraform,
}


def prepare(  # noqa: PLR0913 - each is an option
    *,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="The log key: key id, key ARN, alias or alias ARN.")
    ],
    service_role: Annotated[
        str, typer.Option(metavar="ROLE", help="The cluster's service role: name or ARN.")
    ],
    instance_profile: Annotated[
        str,
        typer.Option(metavar="PROFILE", help="The instance profile of its nodes: name or ARN."),
    ],
    log_uri: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Where the cluster writes its logs: s3://BUCKET/FOLDER/."),
    ] = None,
    default_encryption: Annotated[
        bool,
        typer.Option(
            "--default-encryption",
            help="Make the key the bucket's default. Logs may then name no encryption.",
        ),
    ] = False,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The name of the cluster.")
    ] = "my-cluster",
    release_label: Annotated[
        str, typer.Option(metavar="LABEL", help="The EMR release of the cluster.")
    ] = LATEST_RELEASE,
    region: Annotated[
        str | None,
        typer.Option(metavar="REGION", help="The Region of the cluster, if not the key's."),
    ] = None,
    profile: Profile = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The account of its roles, if not theirs or the key's."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not call AWS.")] = False,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="text (a guide, the default), json, or one part of it: shell, cloudformation or "
            "terraform.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file, instead of standard output."),
    ] = None,
) -> None:
    """Print the policies and settings that a new cluster needs.

    With them, its logs are encrypted with your key: least-privilege policies for its roles and for
    the key, a bucket policy that denies logs encrypted otherwise, and the cluster itself for the
    AWS CLI, CloudFormation and Terraform. Nothing is changed.

    With a key ARN no AWS access is needed. With credentials, the key is checked and the roles are
    looked up (kms:DescribeKey, iam:GetRole, iam:GetInstanceProfile). What could not be checked is
    a warning on standard error.

    Exit status: 0; or 2 when something is wrong, for example with the key.
    """
    written = format_of(output_format, Format.JSON if as_json else None, Format.TEXT)
    identifier = key_identifier(key)
    service = named("--service-role", "role", service_role)
    instances = named("--instance-profile", "instance-profile", instance_profile)
    location = log_location(log_uri) if log_uri is not None else None
    if default_encryption and location is None:
        fail("--default-encryption is about the log bucket: give --log-uri")
    checked_name = cluster_name(name)
    lookup = Lookup.begin(
        offline=offline,
        region=checked_region(region) if region else None,
        profile=profile,
        account=account_id(account) if account else None,
    )
    fact, key_arn = lookup.key(identifier)
    service_role_arn, node_role_arn = lookup.roles(service, instances, key_arn)
    preparation = Preparation(
        key_arn=str(key_arn),
        service_role_arn=service_role_arn,
        instance_profile=instances.name,
        node_role_arn=node_role_arn,
        cluster_name=checked_name,
        release_label=release_label,
        location=location,
        default_key=default_encryption,
    )
    _check(preparation, fact)
    for warning in lookup.warnings:
        typer.echo(f"Warning: {plain(warning)}", err=True)
    if written is Format.JSON:
        _write(machine(preparation, lookup.warnings), output)
    else:
        _write(_RENDERED[written](preparation), output)


def _check(preparation: Preparation, fact: KeyFact) -> None:
    """Evaluate the release and the key with the rules themselves."""
    arn = Arn.of(preparation.key_arn)
    resource = f"{preparation.region}:{preparation.account}:cluster/j-NEW"
    cluster = Cluster(
        id="j-NEW",
        arn=f"arn:{arn.partition}:elasticmapreduce:{resource}",
        name=preparation.cluster_name,
        state="STARTING",
        log_uri="s3://new/",
        log_key_identifier=preparation.key_arn,
        release_label=preparation.release_label,
    )
    facts = ClusterFacts(cluster, log_key=fact)
    for rule in (customer_managed.RULE, usable.RULE):
        outcome = rule.check(facts)
        if outcome.compliance is Compliance.NON_COMPLIANT:
            run = [line for line in rule.remediation(facts).splitlines() if _fixes_key(line)]
            instead = " && ".join(run) or "give another key"
            fail(f"--key: {plain(outcome.summary)} ({rule.id}): {plain(instead)}")
    outcome = release_supports.check(facts)
    if outcome.compliance is not Compliance.COMPLIANT:
        fail(f"--release-label: {plain(outcome.summary)} ({release_supports.RULE.id})")


def _fixes_key(line: str) -> bool:
    """Whether a line of a fix is about the key itself, not about a cluster."""
    return line.startswith("aws kms ")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")
