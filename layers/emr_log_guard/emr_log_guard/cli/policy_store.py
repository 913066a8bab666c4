"""The stored policy: reading it, and replacing it without overwriting another change."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import echo_json, file_name, read_file, today
from emr_log_guard.cli.policy_diff import impact_of, show
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.policy_document import difference, parse_policy, position_of, stored_form
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.ports import StoredPolicy


@dataclass(frozen=True, slots=True)
class PolicyStore:
    """The parameter that holds the policy."""

    clients: CommandClients
    parameter: SsmPolicyParameter
    stack: str | None
    """The stack whose policy it is; None when only the parameter was named."""

    @classmethod
    def of(cls, clients: CommandClients, stack: str, parameter: str | None) -> "PolicyStore":
        """Find it by its own name or by the stack's."""
        name = parameter or f"/emr-log-guard/{stack}/policy"
        return cls(clients, SsmPolicyParameter(clients.ssm(), name), None if parameter else stack)

    def read(self) -> StoredPolicy:
        """Read what is stored.

        Raises:
            HandoffFailedError: It cannot be read.

        """
        return self.parameter.fetch()

    def replace(
        self, old: StoredPolicy, new: str, *, yes: bool, quiet: bool, as_json: bool = False
    ) -> None:
        """Show the changes, ask, and write the policy, unless it changed meanwhile."""
        if (quiet or as_json) and not yes:
            fail(f"{'--json' if as_json else '--quiet'} asks no questions: add --yes")
        text = self._valid(new)
        changes = difference(old.text, text)
        if not changes:
            self._report(old.version, (), (), as_json=as_json)
            return
        shown = self.stack if not quiet else None
        impact = impact_of(self.clients, shown, old, text) if shown else ()
        if not quiet and not as_json:
            show(changes, impact)
        if not yes:
            typer.confirm(f"Write this to {self.parameter.name}?", abort=True)
        if self.read() != old:
            fail("the stored policy was changed meanwhile: nothing was written; try again")
        version = self.parameter.write(text)
        if version != old.version + 1:
            fail(
                f"version {version} was written, but another version was written in between: see "
                f"`aws ssm get-parameter-history --name {self.parameter.name}`"
            )
        self._report(version, changes, impact, as_json=as_json)

    @staticmethod
    def _valid(new: str) -> str:
        """Return a document as it is stored; fail if it is invalid, or too long then."""
        if problems := problems_of(new):
            fail(*problems)
        text = stored_form(json.loads(new))
        if problems := problems_of(text):
            fail(*problems)
        return text

    def _report(
        self, version: int, changes: Sequence[str], impact: Sequence[str], *, as_json: bool
    ) -> None:
        """Print the result."""
        if as_json:
            echo_json(
                {
                    "parameter": self.parameter.name,
                    "changed": bool(changes),
                    "version": version,
                    "difference": changes,
                    "impact": impact,
                }
            )
        elif changes:
            typer.echo(f"Version {version} is stored. It takes effect within 60 seconds.")
        else:
            typer.echo("Nothing to change: the stored policy is the same.")


def read_policy(file: Path) -> Policy:
    """Read a policy from a file; fail when it is invalid."""
    text = read_file(file)
    try:
        return parse_policy(text, today())
    except InvalidPolicyError as error:
        fail(*map(plain, located(file, text, error.problems)))


def located(file: Path, text: str, problems: Sequence[str]) -> tuple[str, ...]:
    """Put the file, the line and the column of each problem of a document in front of it."""
    name = file_name(file)
    if any(problem.startswith("the document") for problem in problems):
        return tuple(f"{name}: {problem}" for problem in problems)
    return tuple(
        f"{name}, line {line}, column {column}: {problem}"
        for problem in problems
        for line, column in [position_of(text, problem.partition(": ")[0])]
    )


def problems_of(text: str) -> tuple[str, ...]:
    """Return the problems of a document."""
    try:
        parse_policy(text, today())
    except InvalidPolicyError as error:
        return error.problems
    return ()
