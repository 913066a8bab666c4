"""The command `replay`: an event or the dead letters, sent to the deployed stack again."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from emr_log_guard.adapters.aws_lambda import LambdaFunctions
from emr_log_guard.adapters.cloudformation import deployed_stack
from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.emr import EmrClusters
from emr_log_guard.adapters.errors import AWS_ERRORS
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.s3 import S3Buckets, S3LogObjects
from emr_log_guard.adapters.sqs import SqsDeadLetters, SqsQueues
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import (
    DEFAULT_STACK,
    Json,
    Profile,
    Region,
    Stack,
    Yes,
    clients_for,
    echo_json,
    read_file,
    today,
)
from emr_log_guard.cli.policy_store import PolicyStore, problems_of, read_policy
from emr_log_guard.config import runbook
from emr_log_guard.domain.clusters import Cluster
from emr_log_guard.domain.compliance import Compliance, overall
from emr_log_guard.domain.decide import exempted
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.findings import Finding, overall_of
from emr_log_guard.domain.policy import Policy
from emr_log_guard.errors import (
    ClusterNotFoundError,
    FunctionFailedError,
    GuardError,
    HandoffFailedError,
    InvalidEventError,
    ObjectNotFoundError,
)
from emr_log_guard.events.log_objects import LogObjectCheckRequest
from emr_log_guard.events.replay import (
    ForCheckCluster,
    ForCheckLogObjects,
    ForEnforce,
    Replayable,
    parse_replayable,
)
from emr_log_guard.policy_document import parse_policy
from emr_log_guard.rendering.alerts.alert_json import finding_json
from emr_log_guard.rendering.alerts.findings import findings_text
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rules.evaluation import EvaluationContext, Subject
from emr_log_guard.rules.rule import Rule
from emr_log_guard.usecases.checks.cluster_facts import ReadClusterFacts
from emr_log_guard.usecases.checks.log_object_facts import ReadLogObject
from emr_log_guard.usecases.evaluate import evaluate_cluster, evaluate_log_objects
from emr_log_guard.usecases.replay.dead_letters import DeadLetter, ReplayDeadLetters, Replayed
from emr_log_guard.usecases.replay.replay import DEAD_LETTER_QUEUE, Replay

_MANY = 100
_STATUS = {Compliance.NON_COMPLIANT: 1, Compliance.INSUFFICIENT_DATA: 3}
"""The exit status of a verdict; 0 for all others."""


def replay(  # noqa: PLR0913 - each is an option
    file: Annotated[
        Path | None,
        typer.Argument(metavar="EVENT.json", help="The event; - for standard input."),
    ] = None,
    *,
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="Evaluate here, with your credentials. No stack is needed or changed."
        ),
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --local: evaluate against this policy document."),
    ] = None,
    parameter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With --local: evaluate against the policy in this SSM parameter."
        ),
    ] = None,
    dead_letters: Annotated[
        bool,
        typer.Option("--dead-letters", help="Replay the messages in the dead-letter queue."),
    ] = False,
    maximum: Annotated[
        int,
        typer.Option("--max", min=1, metavar="N", help="With --dead-letters: at most N messages."),
    ] = _MANY,
    discard: Annotated[
        bool,
        typer.Option(
            "--discard",
            help="With --dead-letters: delete the messages for good, instead of replaying them. "
            "Asks for each.",
        ),
    ] = False,
    yes: Yes = False,
    stack: Stack = DEFAULT_STACK,
    region: Region = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Send an event, or the dead letters, to the deployed stack.

    EVENT.json is any event that the stack handles, as EventBridge, SQS or SNS deliver it. With
    --local the cluster or log object is read and evaluated here, against the policy's defaults,
    --policy or --parameter.

    Exit status: 0; 1 when a function failed, or dead letters remain; 2 on wrong usage, or without
    access. With --local: 0 when compliant, 1 when not, 3 when it could not be determined.
    """
    if dead_letters == (file is not None):
        fail("give EVENT.json or --dead-letters")
    if discard and not dead_letters:
        fail("--discard needs --dead-letters")
    if (policy or parameter) and not local:
        fail("--policy and --parameter need --local: the deployed stack has its own policy")
    if file is None:
        if local:
            fail("--local evaluates one event: give EVENT.json")
        raise typer.Exit(
            _replay_dead_letters(
                clients_for(profile, region),
                stack,
                maximum,
                discard=discard,
                yes=yes,
                as_json=as_json,
            )
        )
    event = _read(file)
    if local:
        raise typer.Exit(
            _evaluate_here(
                event,
                clients_for(profile, region),
                policy,
                parameter,
                as_json=as_json,
            )
        )
    _replay(event, clients_for(profile, region), stack, yes=yes, as_json=as_json)


def _replay(
    event: Replayable, clients: CommandClients, stack: str, *, yes: bool, as_json: bool
) -> None:
    deployed = _deployed(clients, stack)
    if isinstance(event, ForEnforce) and not yes:
        _confirm(f"{event.title}: send this to enforce, which may terminate?", as_json=as_json)
    try:
        result = deployed.run(event)
    except FunctionFailedError:
        if isinstance(event, ForCheckCluster):
            _check_known(event, clients)
        raise
    if as_json:
        echo_json({"event": event.title, "result": result})
    else:
        typer.echo(plain(f"{event.title}: {result}"))


def _check_known(event: ForCheckCluster, clients: CommandClients) -> None:
    """Fail with a plain reason if a check failed because EMR does not know the cluster."""
    for request in event.requests:
        with contextlib.suppress(GuardError, *AWS_ERRORS):
            try:
                EmrClusters(clients.emr()).describe(request.cluster_id)
            except ClusterNotFoundError:
                fail(f"EMR does not know {request.cluster_id} in this account and Region")


def _confirm(question: str, *, as_json: bool) -> None:
    """Ask for confirmation; abort unless the answer is yes."""
    if as_json:
        fail("--json asks no questions: add --yes")
    typer.confirm(question, abort=True)


def _deployed(clients: CommandClients, stack: str) -> Replay:
    return Replay(
        deployed_stack(clients.cloudformation(), stack),
        LambdaFunctions(clients.functions()),
        SqsQueues(clients.sqs()),
    )


def _read(file: Path) -> Replayable:
    text = read_file(file)
    try:
        event: Any = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"{file} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}")
    try:
        return parse_replayable(event)
    except InvalidEventError as error:
        fail(f"{file} is not an event that the stack handles: {error}")


def _policy(clients: CommandClients, file: Path | None, parameter: str | None) -> Policy:
    """Read the policy to evaluate against; without any, its defaults."""
    if file is not None and parameter is not None:
        fail("give --policy or --parameter, not both")
    if file is not None:
        return read_policy(file)
    if parameter is None:
        return Policy()
    text = PolicyStore.of(clients, DEFAULT_STACK, parameter).read().text
    if problems := problems_of(text):
        fail(*problems)
    return parse_policy(text, today())


@dataclass(frozen=True, slots=True)
class _Handled:
    """A dead letter, and the result of its replay."""

    letter: DeadLetter
    outcome: Replayed
    discarded: bool = False

    def document(self) -> dict[str, object]:
        """Return it for JSON output."""
        letter = self.letter
        return {
            "id": letter.id,
            "sent": letter.sent.isoformat(),
            "event": letter.title,
            "cause": letter.cause or None,
            "replayed": self.outcome.done and not self.discarded,
            "discarded": self.discarded,
            "result": self.outcome.message,
        }


def _replay_dead_letters(  # noqa: PLR0913 - each is an option
    clients: CommandClients, stack: str, maximum: int, *, discard: bool, yes: bool, as_json: bool
) -> int:
    """Replay or discard up to so many dead letters.

    However this ends, also by Ctrl-C, all other messages stay in the queue.

    Returns:
        The exit status: 1 if any stays in the queue.

    """
    replay = _deployed(clients, stack)
    queue = SqsDeadLetters(clients.sqs(), replay.stack[DEAD_LETTER_QUEUE])
    held: dict[str, DeadLetter] = {}
    handled: list[_Handled] = []
    echo = _silent if as_json else typer.echo
    try:
        for letter in queue.take(maximum):
            held[letter.id] = letter
        letters = sorted(held.values(), key=lambda each: (each.sent, each.id))
        for line in _listed(letters):
            echo(line)
        replayable = 0 if discard or yes else sum(letter.recognised for letter in letters)
        if replayable:
            _confirm(f"Replay {_messages(replayable)}?", as_json=as_json)
        replay_letter = ReplayDeadLetters(queue, replay)
        for number, letter in enumerate(letters, 1):
            if discard:
                outcome = _discarded(queue, letter, number, yes=yes, as_json=as_json)
            else:
                outcome = replay_letter(letter)
                echo(f"{number:>3}  {plain(letter.name)}: {plain(outcome.message)}")
            handled.append(_Handled(letter, outcome, discarded=discard and outcome.done))
            if outcome.done:
                del held[letter.id]
    finally:
        left = len(held)
        _release(queue, held)
    if as_json:
        echo_json({"messages": [each.document() for each in handled]})
    for line in _summary(letters, left, discard=discard):
        echo(line)
    if len(letters) == maximum:
        echo("There may be more: run the command again, or with a larger --max.")
    return 1 if left else 0


def _listed(letters: Sequence[DeadLetter]) -> Iterator[str]:
    for number, letter in enumerate(letters, 1):
        yield f"{number:>3}  {letter.sent:%Y-%m-%d %H:%M:%S} UTC  {plain(letter.title)}"
        if letter.cause or letter.recognised:
            cause = letter.cause or "unknown: see the function's log"
            yield f"     failed with: {plain(cause)}"


def _summary(letters: Sequence[DeadLetter], left: int, *, discard: bool) -> Iterator[str]:
    if not letters:
        yield "The dead-letter queue is empty, or another consumer is reading its messages."
        return
    done = "deleted" if discard else "replayed"
    yield f"{_messages(len(letters) - left)} {done}, {left} left in the queue."
    if not discard and not all(letter.recognised for letter in letters):
        yield "To delete messages that are not recognised, add --discard: it asks for each."


def _discarded(
    queue: SqsDeadLetters, letter: DeadLetter, number: int, *, yes: bool, as_json: bool
) -> Replayed:
    """Delete a message for good, if that is confirmed."""
    if as_json and not yes:
        fail("--json asks no questions: add --yes")
    if not yes and not typer.confirm(f"Delete message {number} for good?"):
        return Replayed(done=False, message="stays in the queue")
    queue.delete(letter)
    return Replayed(done=True, message="deleted")


def _silent(_: str) -> None:
    """Print nothing."""


def _release(queue: SqsDeadLetters, held: dict[str, DeadLetter]) -> None:
    """Make the messages visible again; SQS itself does so a few minutes later."""
    for letter in held.values():
        with contextlib.suppress(HandoffFailedError):
            queue.release(letter)


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """A cluster or log object, and its findings, if any."""

    about: str
    findings: tuple[Finding, ...] = ()

    def document(self) -> dict[str, object]:
        """Return it for JSON output."""
        return {
            "about": self.about,
            "compliance": overall_of(self.findings),
            "findings": [finding_json(finding) for finding in self.findings],
        }


def _evaluate_here(
    event: Replayable,
    clients: CommandClients,
    policy: Path | None,
    parameter: str | None,
    *,
    as_json: bool,
) -> int:
    """Evaluate what the event is about, print the findings, and return the exit status."""
    if not isinstance(event, ForCheckCluster | ForCheckLogObjects):
        fail(f"--local evaluates clusters and log objects, not this: {event.title}")
    results = []
    for each in _evaluated(clients, event, _policy(clients, policy, parameter)):
        results.append(each)
        if as_json:
            continue
        if isinstance(event, ForCheckLogObjects):
            typer.echo(each.about)
        if each.findings:
            typer.echo(findings_text(each.findings, overall_of(each.findings)))
    compliance = overall(overall_of(each.findings) for each in results)
    if as_json:
        echo_json({"compliance": compliance, "results": [each.document() for each in results]})
    return _STATUS.get(compliance, 0)


def _evaluated(
    clients: CommandClients, event: ForCheckCluster | ForCheckLogObjects, policy: Policy
) -> Iterator[_Evaluated]:
    context = EvaluationContext(policy, datetime.now(UTC), runbook, _undeployed)
    clusters, keys = EmrClusters(clients.emr()), KmsKeys(clients.kms)
    if isinstance(event, ForCheckLogObjects):
        read = ReadLogObject(clusters, S3LogObjects(clients.s3()), keys, clusters).under(policy)
        for request in event.requests:
            yield _evaluated_object(read, request, context)
        return
    read_facts = ReadClusterFacts(
        keys,
        roles=IamRoles(clients.iam()),
        workloads=clusters,
        bucket_owners=S3Buckets(clients.s3()),
    )
    for each in event.requests:
        cluster = clusters.describe(each.cluster_id)
        known = ClusterSnapshot(cluster, each.launched_by)
        findings = evaluate_cluster(known, read_facts, context).findings
        yield _Evaluated(cluster.arn, tuple(exempted(findings, cluster, policy, context.now)))


def _evaluated_object(
    read: ReadLogObject, request: LogObjectCheckRequest, context: EvaluationContext
) -> _Evaluated:
    try:
        facts = read(request.version)
    except ObjectNotFoundError:
        return _Evaluated(f"{request.version} no longer exists.")
    if facts is None:
        return _Evaluated(f"{request.version} is not the log of a cluster.")
    cluster = facts.cluster if isinstance(facts.cluster, Cluster) else None
    subject = Subject.of_logs(facts.cluster_id, cluster, request.account, request.region)
    results = evaluate_log_objects(subject, [facts], context)
    findings = exempted(
        (result.finding for result in results), cluster, context.policy, context.now
    )
    return _Evaluated(str(request.version), tuple(findings))


def _undeployed(rule: Rule[Any]) -> bool:
    """Select the rules that need no deployed stack."""
    return not rule.deployed_only
