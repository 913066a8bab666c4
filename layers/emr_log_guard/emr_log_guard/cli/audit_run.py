"""Running an audit from its options: checks them, wires, audits, writes the report."""

import errno
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import cast

from emr_log_guard.adapters.audit_account import AuditedAccount
from emr_log_guard.adapters.audit_permissions import permissions, policy_document
from emr_log_guard.adapters.aws_errors import AWS_ERRORS
from emr_log_guard.adapters.call_count import CallCount
from emr_log_guard.adapters.sessions import AuditSession, Watch
from emr_log_guard.cli.audit import Options
from emr_log_guard.cli.cluster_id import check_cluster_id
from emr_log_guard.cli.ending import fail
from emr_log_guard.cli.region import checked_region
from emr_log_guard.config import runbook
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditReport
from emr_log_guard.domain.policy import Policy
from emr_log_guard.rendering.advice import advice
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rules import ALL_RULES, LOG_OBJECT_RULES
from emr_log_guard.usecases.audit import Audit
from emr_log_guard.usecases.audit_scope import ACTIVE, AuditScope
from emr_log_guard.usecases.ports import Progress


class Silent:
    """Shows nothing."""

    def listed(self) -> None:
        """Say that a cluster was found."""

    def judged(self) -> None:
        """Say that a cluster was judged."""

    def checked_object(self) -> None:
        """Say that a log object was read."""


def run(options: Options) -> int:
    """Audit and write the report; return the exit status."""
    scope = _scope(options)
    if options.print_iam_policy:
        _write([json.dumps(policy_document(permissions(scope)), indent=2) + "\n"], None)
        return 0
    if options.output:
        _check_writable(options.output)
    calls = CallCount(_tell if options.verbose else None)
    stopped = Event()
    watch = Watch(calls, stopped, options.max_rate or math.inf)
    try:
        caller = AuditSession.of_caller(watch)
        region = caller.region
    except AWS_ERRORS as error:  # such as a profile that does not exist
        fail(str(error))
    if scope.regions == ():
        if region is None:
            fail("no Region: give --region or --all-regions, or set AWS_DEFAULT_REGION")
        scope = replace(scope, regions=(checked_region(region),))
    with _progress(options) as progress:
        report = Audit(
            open_account=lambda role: AuditedAccount(
                caller.assume(role) if role else caller, scope
            ),
            scope=scope,
            clock=lambda: datetime.now(UTC),
            runbook=runbook,
            api_calls=lambda: calls.counts,
            progress=progress,
            stopped=stopped,
        )()
    _write(_rendered(report, options.format), options.output)
    _comment(report, options)
    if report.interrupted:
        _leave(report.exit_status)
    return report.exit_status


def _comment(report: AuditReport, options: Options) -> None:
    """Tell people what they would not see, and what helps."""
    if options.output or options.format != "table":
        for problem in report.problems:
            _tell(f"Could not be read: {problem}")
        for line in report.advice:
            _tell(f"Advice: {line}")
    for line in advice(report.problems):
        _tell(f"What helps: {line}")


def _leave(status: int) -> None:
    """End at once: calls that still wait for an answer hold nobody up who pressed Ctrl-C."""
    sys.stderr.flush()
    os._exit(status)


def _progress(options: Options) -> AbstractContextManager[Progress]:
    """Show a bar to people who look on, unless lines of calls would tear it apart."""
    if options.verbose or not sys.stderr.isatty():
        return nullcontext(Silent())
    from emr_log_guard.cli.progress import Bar  # noqa: PLC0415 - rich takes its time to import

    return Bar()


def _scope(options: Options) -> AuditScope:
    if options.all_regions and options.region:
        fail("give --region or --all-regions, not both")
    known = {rule.id for rule in ALL_RULES}
    for rule_id in (*options.rule, *options.skip_rule):
        if rule_id not in known:
            fail(f"there is no rule {rule_id!r}: they are {', '.join(sorted(known))}")
    about_objects = {rule.id for rule in LOG_OBJECT_RULES} & set(options.rule)
    if about_objects and not options.objects:
        fail(f"{min(about_objects)} is about log objects: add --objects")
    if not options.objects and (options.since or options.sample):
        fail("--since and --sample are about log objects: add --objects")
    for role in options.assume_role:
        arn = Arn.parse(role)
        if arn is None or arn.service != "iam" or not arn.resource.startswith("role/"):
            fail(f"--assume-role {role}: write the role's ARN, arn:aws:iam::ACCOUNT:role/NAME")
    scope = AuditScope(
        policy=_policy(options.policy),
        regions=None
        if options.all_regions
        else tuple(dict.fromkeys(map(checked_region, options.region))),
        role_arns=tuple(options.assume_role) or (None,),
        states=tuple(options.state) or ACTIVE,
        cluster_ids=tuple(dict.fromkeys(map(check_cluster_id, options.cluster))),
        only=frozenset(options.rule),
        skipped=frozenset(options.skip_rule),
        objects=options.objects,
        since=_moment(options.since) if options.since else None,
        sample=options.sample,
    )
    if not scope.rule_ids:
        fail("no rule is left to judge by")
    return scope


def _policy(file: Path | None) -> Policy:
    """Read the policy; without one the defaults hold, and rules that are off stay off."""
    if file is None:
        return Policy()
    # msgspec and all that reads the stored policy is of no use without a document.
    from emr_log_guard.cli.stored import read_policy  # noqa: PLC0415

    return read_policy(file)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--since {text}: write a day or a moment, 2026-03-14 or 2026-03-14T15:09Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check_writable(output: Path) -> None:
    """Find out now, not after minutes of reading. An older report stays until there is a new."""
    try:
        output.open("a").close()
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")


def _rendered(report: AuditReport, output_format: str) -> Iterable[str]:
    """Write the report in a format; only that format's module, and what it needs, is imported."""
    module = import_module(f"emr_log_guard.rendering.audit_{output_format}")
    render = cast(
        "Callable[[AuditReport], str | Iterable[str]]", getattr(module, f"audit_{output_format}")
    )
    rendered = render(report)
    return [rendered] if isinstance(rendered, str) else rendered


def _write(parts: Iterable[str], output: Path | None) -> None:
    """Write UTF-8, whatever the terminal's or the machine's own encoding is."""
    written = (part.encode() for part in parts)
    try:
        if output is None:
            _print(written)
        else:
            with output.open("wb") as file:
                file.writelines(written)
    except OSError as error:
        fail(f"{output or 'standard output'} cannot be written: {error.strerror}")


def _print(parts: Iterable[bytes]) -> None:
    """Write to standard output.

    Raises:
        OSError: It takes nothing. That it has no reader any more is none of these errors.

    """
    if sys.stdout is None:  # Python makes none of a closed one
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left would be flushed once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


def _tell(line: str) -> None:
    sys.stderr.write(f"{plain(line)}\n")
