"""`emr-log-guard audit`: its options, and what becomes of them.

They are parsed by argparse, and what an audit needs is imported only once it runs: Typer builds a
validator for every option, which takes longer than reading a small account does.
"""

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emr_log_guard.cli.ending import fail

FORMATS = ("table", "json", "csv", "html", "sarif", "ocsf", "asff")
STATES = (
    "STARTING",
    "BOOTSTRAPPING",
    "RUNNING",
    "WAITING",
    "TERMINATING",
    "TERMINATED",
    "TERMINATED_WITH_ERRORS",
)
"""https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStatus.html"""


_LEAST_RATE = 0.01


class Options(Namespace):
    """The options, as they were given; lists are empty where an option was not."""

    region: list[str]
    all_regions: bool
    assume_role: list[str]
    state: list[str]
    cluster: list[str]
    policy: Path | None
    rule: list[str]
    skip_rule: list[str]
    objects: bool
    since: str | None
    sample: int | None
    format: str
    output: Path | None
    max_rate: float | None
    print_iam_policy: bool
    verbose: bool


def audit(arguments: Sequence[str]) -> int:
    """Judge the clusters of accounts and Regions, with nothing deployed; return the exit status.

    Raises:
        SystemExit: with status 2 on wrong usage, with 0 after --help.

    """
    options = audit_parser().parse_args(arguments, Options())
    from emr_log_guard.cli.audit_run import run  # noqa: PLC0415 - see above

    return run(options)


class _Parser(ArgumentParser):
    """Tells wrong usage as everything else that is wrong: in one line, which names the fix."""

    def error(self, message: str) -> NoReturn:
        fail(f"{message}; see `{self.prog} --help`")


def audit_parser() -> ArgumentParser:
    """Make the parser of the options."""
    parser = _Parser(
        "emr-log-guard audit",
        description="Judge the clusters of accounts and Regions. Only reads; nothing is deployed.",
        epilog="Ends with status 0 when all is compliant, 1 when something is not, 2 on wrong "
        "usage or when nothing could be read, and 3 when nothing is broken, but something could "
        "not be determined.",
        allow_abbrev=False,
    )
    where = parser.add_argument_group("what is audited")
    where.add_argument("--region", action="append", default=[], help="a Region; else your own")
    where.add_argument("--all-regions", action="store_true", help="all that an account uses")
    where.add_argument(
        "--assume-role",
        action="append",
        default=[],
        metavar="ARN",
        help="a role to read another account as",
    )
    where.add_argument(
        "--state",
        action="append",
        default=[],
        type=str.upper,
        choices=STATES,
        help="a cluster's state; else active ones",
    )
    where.add_argument(
        "--cluster",
        action="append",
        default=[],
        metavar="ID",
        help="a cluster, whatever its state; else all",
    )
    rules = parser.add_argument_group("what it is judged by")
    rules.add_argument("--policy", type=Path, metavar="FILE", help="a policy, JSON; - for stdin")
    rules.add_argument(
        "--rule", action="append", default=[], metavar="ID", help="judge by this rule only"
    )
    rules.add_argument(
        "--skip-rule", action="append", default=[], metavar="ID", help="do not judge by this rule"
    )
    logs = parser.add_argument_group("log objects")
    logs.add_argument("--objects", action="store_true", help="check log objects, too")
    logs.add_argument(
        "--since", metavar="TIME", help="only those written since 2026-03-14 or 2026-03-14T15:09Z"
    )
    logs.add_argument(
        "--sample", type=_count, metavar="N", help="only so many a cluster, chosen at random"
    )
    report = parser.add_argument_group("the report")
    report.add_argument(
        "--format", type=str.lower, choices=FORMATS, default="table", help="how it is written"
    )
    report.add_argument(
        "--output", type=Path, metavar="FILE", help="where it is written; else standard output"
    )
    parser.add_argument(
        "--max-rate", type=_rate, metavar="N", help="calls a second of each AWS API, at most"
    )
    parser.add_argument(
        "--print-iam-policy", action="store_true", help="print the permissions it needs, and end"
    )
    parser.add_argument("--verbose", action="store_true", help="show each AWS call")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        message = "at least 1"
        raise ArgumentTypeError(message)
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not _LEAST_RATE <= number < math.inf:
        message = f"at least {_LEAST_RATE}"
        raise ArgumentTypeError(message)
    return number
