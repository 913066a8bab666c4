"""The command `audit`: the clusters of accounts and Regions, evaluated with nothing deployed."""

import errno
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from emr_log_guard.adapters.audit_account import AuditedAccount
from emr_log_guard.adapters.audit_permissions import permissions, policy_document
from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.sessions import AuditSession, Watch
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import (
    NO_REGION,
    Profile,
    Quiet,
    checked_cluster_id,
    checked_region,
    format_of,
)
from emr_log_guard.cli.policy_store import read_policy
from emr_log_guard.cli.progress import AuditProgress
from emr_log_guard.config import runbook
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditReport
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.exports.asff import audit_asff
from emr_log_guard.rendering.exports.audit_csv import audit_csv
from emr_log_guard.rendering.exports.audit_json import audit_json
from emr_log_guard.rendering.exports.ocsf import audit_ocsf
from emr_log_guard.rendering.exports.sarif import audit_sarif
from emr_log_guard.rendering.reports.audit import audit_html
from emr_log_guard.rendering.terminal.audit_table import audit_table, audit_totals
from emr_log_guard.rendering.terminal.error_hints import error_hints
from emr_log_guard.rules import ALL_RULES, LOG_OBJECT_RULES
from emr_log_guard.usecases.audit.run import Audit
from emr_log_guard.usecases.audit.scope import ACTIVE, AuditScope

_LEAST_RATE = 0.01


class Format(StrEnum):
    """The format of the report."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"
    SARIF = "sarif"
    OCSF = "ocsf"
    ASFF = "asff"


_RENDERERS: Mapping[Format, Callable[[AuditReport], str | Iterable[str]]] = {
    Format.TABLE: audit_table,
    Format.JSON: audit_json,
    Format.CSV: audit_csv,
    Format.HTML: audit_html,
    Format.SARIF: audit_sarif,
    Format.OCSF: audit_ocsf,
    Format.ASFF: audit_asff,
}


class State(StrEnum):
    """A cluster's state.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStatus.html
    """

    STARTING = "STARTING"
    BOOTSTRAPPING = "BOOTSTRAPPING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    TERMINATED_WITH_ERRORS = "TERMINATED_WITH_ERRORS"


def _state(text: str) -> State:
    try:
        return State(text.upper())
    except ValueError:
        message = f"{text!r} is not one of {', '.join(State)}"
        raise typer.BadParameter(message) from None


def _rate(number: float | None) -> float | None:
    if number is not None and not _LEAST_RATE <= number < math.inf:
        message = f"{number} is not a number of at least {_LEAST_RATE}"
        raise typer.BadParameter(message)
    return number


def _https(url: str | None) -> str | None:
    if url is not None and not url.startswith("https://"):
        message = f"{url} does not begin with https://"
        raise typer.BadParameter(message)
    return url


_SCOPE = "What is audited"
_RULES = "Rules"
_LOGS = "Log objects"
_REPORT = "Report"


def audit(  # noqa: PLR0913 - each is an option
    *,
    region: Annotated[
        list[str],
        typer.Option(
            metavar="REGION",
            help="Audit this Region, instead of your default one. Can be repeated.",
            rich_help_panel=_SCOPE,
        ),
    ] = [],  # noqa: B006 - Typer copies it
    all_regions: Annotated[
        bool,
        typer.Option(
            "--all-regions",
            help="Audit all Regions that are enabled for the account.",
            rich_help_panel=_SCOPE,
        ),
    ] = False,
    assume_role: Annotated[
        list[str],
        typer.Option(
            metavar="ARN",
            help="Audit the account of this role, with the role's permissions. Can be repeated.",
            rich_help_panel=_SCOPE,
        ),
    ] = [],  # noqa: B006
    state: Annotated[
        list[State],
        typer.Option(
            metavar="STATE",
            parser=_state,
            help="Audit clusters in this state, instead of all active ones: "
            f"{', '.join(State)}. Can be repeated.",
            rich_help_panel=_SCOPE,
        ),
    ] = [],  # noqa: B006
    cluster: Annotated[
        list[str],
        typer.Option(
            metavar="ID",
            help="Audit this cluster only, in any state. Can be repeated.",
            rich_help_panel=_SCOPE,
        ),
    ] = [],  # noqa: B006
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Evaluate against this policy document, JSON; - for standard input.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    rule: Annotated[
        list[str],
        typer.Option(
            metavar="ID",
            help="Evaluate this rule only. Can be repeated.",
            rich_help_panel=_RULES,
        ),
    ] = [],  # noqa: B006
    skip_rule: Annotated[
        list[str],
        typer.Option(metavar="ID", help="Skip this rule. Can be repeated.", rich_help_panel=_RULES),
    ] = [],  # noqa: B006
    objects: Annotated[
        bool,
        typer.Option("--objects", help="Check the log objects in S3, too.", rich_help_panel=_LOGS),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Check only objects written since 2026-03-14, or 2026-03-14T15:09Z.",
            rich_help_panel=_LOGS,
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Check only N objects per cluster, chosen at random.",
            rich_help_panel=_LOGS,
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            case_sensitive=False,
            help=f"The format of the report: {', '.join(Format)}. The default is {Format.TABLE}.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="The same as --format json.", rich_help_panel=_REPORT),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the report to this file, instead of standard output.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    runbook_base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            callback=_https,
            help="Link each rule to its runbook below this URL of your copy of docs/runbooks.",
            rich_help_panel=_REPORT,
        ),
    ] = None,
    profile: Profile = None,
    max_rate: Annotated[
        float | None,
        typer.Option(
            metavar="N", callback=_rate, help="Call each AWS API at most N times a second."
        ),
    ] = None,
    print_iam_policy: Annotated[
        bool,
        typer.Option(
            "--print-iam-policy", help="Print the IAM policy that these options need, and exit."
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print each AWS call to standard error.")
    ] = False,
) -> None:
    """Audit the clusters of accounts and Regions. Nothing needs to be deployed.

    The audit reads, and changes nothing.

    Exit status: 0 when everything is compliant; 1 when something is not; 2 on wrong usage, or when
    nothing could be read; 3 when no violation was found, but something could not be determined.
    """
    written = format_of(output_format, Format.JSON if as_json else None, Format.TABLE)
    if quiet and verbose:
        fail("give --quiet or --verbose, not both")
    if all_regions and region:
        fail("give --region or --all-regions, not both")
    scope = AuditScope(
        policy=read_policy(policy) if policy else Policy(),
        regions=None if all_regions else tuple(dict.fromkeys(map(checked_region, region))),
        role_arns=tuple(assume_role) or (None,),
        states=tuple(state) or ACTIVE,
        cluster_ids=tuple(dict.fromkeys(map(checked_cluster_id, cluster))),
        only=frozenset(rule),
        skipped=frozenset(skip_rule),
        objects=objects,
        since=_moment(since) if since else None,
        sample=sample,
    )
    _check(scope)
    if print_iam_policy:
        _write([json.dumps(policy_document(permissions(scope)), indent=2) + "\n"], None)
        return
    if output:
        _check_writable(output)
    report = _audited(
        scope,
        profile,
        max_rate or math.inf,
        partial(runbook, base_url=runbook_base_url) if runbook_base_url else runbook,
        quiet=quiet,
        verbose=verbose,
    )
    rendered = _RENDERERS[written](report)
    _write([rendered] if isinstance(rendered, str) else rendered, output)
    if output and not quiet:
        _print_line(f"Wrote {output}. {audit_totals(report)}")
    _comment(report, shown=output is None and written is Format.TABLE, quiet=quiet)
    if report.interrupted:
        _exit_at_once(report.exit_status)
    raise typer.Exit(report.exit_status)


def _check(scope: AuditScope) -> None:
    """Fail when options contradict each other, or name an unknown rule."""
    known = {rule.id for rule in ALL_RULES}
    for rule_id in sorted(scope.only | scope.skipped):
        if rule_id not in known:
            fail(f"there is no rule {rule_id!r}: the rules are {', '.join(sorted(known))}")
    about_objects = {rule.id for rule in LOG_OBJECT_RULES} & scope.only
    if about_objects and not scope.objects:
        fail(f"{min(about_objects)} is about log objects: add --objects")
    if not scope.objects and (scope.since or scope.sample):
        fail("--since and --sample are about log objects: add --objects")
    for role in filter(None, scope.role_arns):
        arn = Arn.parse(role)
        if arn is None or arn.service != "iam" or not arn.resource.startswith("role/"):
            fail(f"--assume-role {role}: write the role's ARN, arn:aws:iam::ACCOUNT:role/NAME")
    if not scope.rule_ids:
        fail("no rule is left to evaluate")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--since {text}: write a day or a time, 2026-03-14 or 2026-03-14T15:09Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _audited(  # noqa: PLR0913 - each is an option
    scope: AuditScope,
    profile: str | None,
    max_rate: float,
    runbook_of: Callable[[str], str],
    *,
    quiet: bool,
    verbose: bool,
) -> AuditReport:
    """Audit, with a progress bar on a terminal."""
    calls = CallCount(_print_line if verbose else None)
    stopped = Event()
    caller = AuditSession.of_caller(Watch(calls, stopped, max_rate), profile)
    if scope.regions == ():
        if caller.region is None:
            fail(f"{NO_REGION}, or --all-regions")
        scope = replace(scope, regions=(checked_region(caller.region),))
    # Call lines would break up the bar.
    with AuditProgress(shown=not (quiet or verbose)) as progress:
        return Audit(
            open_account=lambda role: AuditedAccount(
                caller.assume(role) if role else caller, scope
            ),
            scope=scope,
            clock=lambda: datetime.now(UTC),
            runbook=runbook_of,
            api_calls=lambda: calls.counts,
            progress=progress,
            stopped=stopped,
        )()


def _comment(report: AuditReport, *, shown: bool, quiet: bool) -> None:
    """Write problems, advice and hints that the report does not show to standard error.

    Args:
        report: The report.
        shown: Whether the table, which has the problems and advice, is on standard output.
        quiet: Whether only results, warnings and errors are wanted.

    """
    if not shown:
        for problem in report.problems:
            _print_line(f"Could not be read: {problem}")
    if quiet:
        return
    if not shown:
        for line in report.advice:
            _print_line(f"Advice: {line}")
    for line in error_hints(report.problems):
        _print_line(f"Hint: {line}")


def _print_line(line: str) -> None:
    sys.stderr.write(f"{plain(line)}\n")


def _check_writable(output: Path) -> None:
    """Fail before the audit, not after it. An existing report is kept until then."""
    try:
        output.open("a").close()
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")


def _write(parts: Iterable[str], output: Path | None) -> None:
    """Write UTF-8, regardless of the terminal's encoding."""
    encoded = (part.encode() for part in parts)
    try:
        if output is None:
            _print(encoded)
        else:
            with output.open("wb") as file:
                file.writelines(encoded)
    except OSError as error:
        fail(f"{output or 'standard output'} cannot be written: {error.strerror}")


def _print(parts: Iterable[bytes]) -> None:
    """Write to standard output. A closed pipe is not an error.

    Raises:
        OSError: Standard output cannot be written.

    """
    if sys.stdout is None:  # it was closed before Python started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python flushes what is left once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


def _exit_at_once(status: int) -> None:
    """Exit after Ctrl-C without waiting for pending calls."""
    sys.stderr.flush()
    os._exit(status)
