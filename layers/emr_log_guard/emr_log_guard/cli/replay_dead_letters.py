"""Showing the dead letters, asking, and putting each back on its way."""

import contextlib

import typer

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dead_letters import SqsDeadLetters
from emr_log_guard.errors import NotHandedOverError
from emr_log_guard.rendering.escape import plain
from emr_log_guard.usecases.replay import DEAD_LETTER_QUEUE, Replay
from emr_log_guard.usecases.replay_dead_letters import DeadLetter, ReplayDeadLetters


def replay_dead_letters(replay: Replay, maximum: int, *, yes: bool) -> int:
    """Replay up to so many dead letters; return the exit status: 1 if any stays in the queue.

    However this ends, Ctrl-C among the ways, what was not replayed is in the queue as it was.
    """
    queue = SqsDeadLetters(clients.sqs(), replay.stack[DEAD_LETTER_QUEUE])
    held: dict[str, DeadLetter] = {}
    try:
        for letter in queue.take(maximum):
            held[letter.id] = letter
        letters = sorted(held.values(), key=lambda each: (each.sent, each.id))
        if not letters:
            typer.echo("The dead-letter queue is empty, or others hold what is in it.")
            return 0
        for number, letter in enumerate(letters, 1):
            typer.echo(f"{number:>3}  {letter.sent:%Y-%m-%d %H:%M:%S} UTC  {plain(letter.title)}")
            typer.echo(f"     failed with: {plain(letter.cause)}")
        if not yes:
            typer.confirm(f"Put {_messages(len(letters))} back on their way?", abort=True)
        put_back = ReplayDeadLetters(queue, replay)
        done = 0
        for number, letter in enumerate(letters, 1):
            outcome = put_back(letter)
            typer.echo(f"{number:>3}  {plain(letter.title)}: {plain(outcome.words)}")
            if outcome.done:
                del held[letter.id]
                done += 1
    finally:
        _release(queue, held)
    left = len(letters) - done
    typer.echo(f"{_messages(done)} replayed, {left} left in the queue.")
    if len(letters) == maximum:
        typer.echo("There may be more: run it again, or with a larger --max.")
    return 1 if left else 0


def _release(queue: SqsDeadLetters, held: dict[str, DeadLetter]) -> None:
    """Show what is held to others again; SQS itself does so a few minutes later."""
    for letter in held.values():
        with contextlib.suppress(NotHandedOverError):
            queue.release(letter)


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"
