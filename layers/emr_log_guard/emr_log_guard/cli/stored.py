"""The stored policy, read and replaced with care."""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path

import typer

from emr_log_guard.adapters.aws_errors import AWS_ERRORS
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.cli.effect import show_effect
from emr_log_guard.cli.ending import fail
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.policy_document import parse_policy, pretty, stored_form
from emr_log_guard.usecases.ports import StoredPolicy, UnreadablePolicy

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the policy is."""

    parameter: SsmPolicyParameter
    stack: str | None
    """The stack whose policy it is; None when only the parameter was named."""
    region: str
    """Where that is."""

    @classmethod
    def of(cls, stack: str, parameter: str | None) -> "Place":
        """Find it by its own name or by its stack's."""
        # boto3 and rich are slow to import, and other commands have no use for them.
        from emr_log_guard.adapters import clients  # noqa: PLC0415

        name = parameter or f"/emr-log-guard/{stack}/policy"
        try:
            client = clients.ssm()
        except AWS_ERRORS as error:  # such as no Region
            fail(str(error))
        region = client.meta.region_name
        return cls(SsmPolicyParameter(client, name), None if parameter else stack, region)

    def read(self) -> StoredPolicy:
        """Read what is stored, or say why that cannot be."""
        stored = self.parameter.read()
        if isinstance(stored, UnreadablePolicy):
            fail(f"{stored.reason}: check --stack or --parameter, your credentials and your Region")
        return stored

    def replace(self, old: StoredPolicy, new: str, *, yes: bool) -> None:
        """Show what would change, ask, and write it, if nobody else did meanwhile."""
        problems = problems_of(new)
        if problems:
            fail(*problems)
        text = stored_form(json.loads(new))
        if problems := problems_of(text):
            fail(*problems)
        if not _show_difference(old.text, text):
            typer.echo("Nothing would change: the stored policy says the same.")
            return
        if self.stack:
            show_effect(self.stack, old, text)
        if not yes:
            typer.confirm(f"Write this to {self.parameter.name}?", abort=True)
        if self.read() != old:
            fail("somebody changed the stored policy meanwhile: nothing was written; try again")
        try:
            version = self.parameter.write(text)
        except AWS_ERRORS as error:
            fail(str(error))
        if version != old.version + 1:
            fail(
                f"version {version} was written, but somebody else wrote between: see "
                f"`aws ssm get-parameter-history --name {self.parameter.name}`"
            )
        typer.echo(f"Version {version} is stored. The guard goes by it within 60 seconds.")


def read_file(file: Path) -> str:
    """Read a document from a file, or from standard input for `-`."""
    try:
        return (
            typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8")
        )
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        fail(f"{file}: {error}")


def read_policy(file: Path) -> Policy:
    """Read a policy from a file, or say what is wrong with it."""
    try:
        return parse_policy(read_file(file))
    except InvalidPolicyError as error:
        fail(*(f"{file}: {problem}" for problem in error.problems))


def problems_of(text: str) -> tuple[str, ...]:
    """Name what is wrong with a document."""
    try:
        parse_policy(text)
    except InvalidPolicyError as error:
        return error.problems
    return ()


def _show_difference(old: str, new: str) -> bool:
    from rich.console import Console  # noqa: PLC0415 - see Place.of
    from rich.text import Text  # noqa: PLC0415 - see Place.of

    try:
        shown = pretty(json.loads(old))
    except ValueError:
        shown = old
    lines = difflib.unified_diff(
        shown.splitlines(), pretty(json.loads(new)).splitlines(), "stored", "new", lineterm=""
    )
    console = Console(highlight=False, soft_wrap=True)
    changed = False
    for line in lines:
        changed = True
        console.print(Text(line, style=_COLOURS.get(line[0], "")))
    return changed
