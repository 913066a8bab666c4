"""Replaying dead letters: each goes back on the way that it came, and only then from the queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from emr_log_guard.errors import (
    FunctionFailedError,
    HandoffFailedError,
    InvalidEventError,
    NotDeployedError,
)
from emr_log_guard.events.replay import Replayable, cause_of, parse_dead_letter
from emr_log_guard.usecases.replay.replay import Replay


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was taken from the dead-letter queue: hidden from others for a while."""

    id: str
    body: str
    attributes: Mapping[str, str]
    sent: datetime
    """UTC"""
    receipt: str

    @property
    def what(self) -> Replayable | str:
        """What it is, or why it cannot be recognised."""
        try:
            return parse_dead_letter(self.body)
        except InvalidEventError as error:
            return str(error)

    @property
    def title(self) -> str:
        """Say in a few words what it is."""
        what = self.what
        return f"not recognised ({what})" if isinstance(what, str) else what.title

    @property
    def cause(self) -> str:
        """Say why it is here."""
        return cause_of(self.body, self.attributes) or "not told: see the function's log"


class DeadLetters(Protocol):
    """The dead-letter queue. Each method raises HandoffFailedError."""

    def hold(self, letter: DeadLetter) -> None:
        """Hide it from others a while longer; fails when it is not ours any more."""
        ...

    def delete(self, letter: DeadLetter) -> None:
        """Remove it for good."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a dead letter."""

    done: bool
    """Whether it is handed over; if not, it is in the queue as it was."""
    words: str


@dataclass(frozen=True, slots=True)
class ReplayDeadLetters:
    """Replays one at a time, at least once: what stops between two steps loses nothing."""

    letters: DeadLetters
    replay: Replay

    def __call__(self, letter: DeadLetter) -> Replayed:
        """Put a letter back on its way, then delete it."""
        what = letter.what
        if isinstance(what, str):
            return Replayed(done=False, words=f"stays in the queue: {what}")
        try:
            self.letters.hold(letter)
            words = self.replay.put_back(what)
        except (FunctionFailedError, NotDeployedError, HandoffFailedError) as error:
            return Replayed(done=False, words=f"stays in the queue: {error}")
        try:
            self.letters.delete(letter)
        except HandoffFailedError as error:
            return Replayed(done=False, words=f"{words}, but it is still in the queue: {error}")
        return Replayed(done=True, words=words)
