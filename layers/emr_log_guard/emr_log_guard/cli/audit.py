"""`emr-log-guard audit`: its options. What they need is imported once it runs, to start quickly."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How the report is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"
    SARIF = "sarif"


class State(StrEnum):
    """A cluster's states.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStatus.html
    """

    STARTING = "STARTING"
    BOOTSTRAPPING = "BOOTSTRAPPING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    TERMINATED_WITH_ERRORS = "TERMINATED_WITH_ERRORS"


def audit(  # noqa: PLR0913 - each is an option
    *,
    region: Annotated[
        list[str] | None, typer.Option(help="A Region; else your own. May be repeated.")
    ] = None,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="All Regions that an account uses.")
    ] = False,
    assume_role: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="A role to read another account as. May be repeated."),
    ] = None,
    state: Annotated[
        list[State] | None,
        typer.Option(case_sensitive=False, help="Else the active ones. May be repeated."),
    ] = None,
    cluster: Annotated[
        list[str] | None, typer.Option(help="A cluster's id, else all. May be repeated.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A policy document, JSON; - for standard input.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="Judge by this rule only. May be repeated.")
    ] = None,
    skip_rule: Annotated[
        list[str] | None, typer.Option(help="Do not judge by this rule. May be repeated.")
    ] = None,
    objects: Annotated[bool, typer.Option("--objects", help="Check log objects, too.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Objects written since: 2026-03-14 or 2026-03-14T15:09Z.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many objects a cluster, chosen at random.")
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", case_sensitive=False, help="How to write the report.")
    ] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="Where to write the report.")] = None,
    max_rate: Annotated[
        float | None, typer.Option(min=0.01, help="Calls a second of each AWS API, at most.")
    ] = None,
    print_iam_policy: Annotated[
        bool,
        typer.Option("--print-iam-policy", help="Print the permissions it needs, and end."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show each AWS call on standard error.")
    ] = False,
) -> None:
    """Judge the clusters of accounts and Regions, with nothing deployed. Only reads.

    Ends with status 0 when all is compliant, 1 when something is not, 2 on wrong usage or when
    nothing could be read, and 3 when nothing is broken, but something could not be determined.
    """
    from emr_log_guard.cli.audit_run import Wanted, run  # noqa: PLC0415 - see above

    wanted = Wanted(
        regions=tuple(region or ()),
        all_regions=all_regions,
        role_arns=tuple(assume_role or ()),
        states=tuple(each.value for each in state or ()),
        cluster_ids=tuple(cluster or ()),
        policy=policy,
        rules=tuple(rule or ()),
        skipped=tuple(skip_rule or ()),
        objects=objects,
        since=since,
        sample=sample,
        output_format=output_format,
        output=output,
        max_rate=max_rate,
        print_iam_policy=print_iam_policy,
        verbose=verbose,
    )
    raise typer.Exit(run(wanted))
