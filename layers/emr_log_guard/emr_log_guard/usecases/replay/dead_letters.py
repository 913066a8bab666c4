"""Replaying dead letters: each is sent to its original target, then deleted from the queue."""

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
    """A message received from the dead-letter queue: invisible to others for a while."""

    id: str
    body: str
    attributes: Mapping[str, str]
    sent: datetime
    """UTC"""
    receipt: str

    @property
    def what(self) -> Replayable | str:
        """The parsed message, or why it is not recognised."""
        try:
            return parse_dead_letter(self.body)
        except InvalidEventError as error:
            return str(error)

    @property
    def recognised(self) -> bool:
        """Whether it can be replayed."""
        return not isinstance(self.what, str)

    @property
    def title(self) -> str:
        """A short description."""
        what = self.what
        return f"{self.name} ({what})" if isinstance(what, str) else self.name

    @property
    def name(self) -> str:
        """The same without the reason why it is not recognised."""
        what = self.what
        return "not recognised" if isinstance(what, str) else what.title

    @property
    def cause(self) -> str:
        """Why it is here; empty when that is unknown."""
        return cause_of(self.body, self.attributes) or ""


class DeadLetters(Protocol):
    """The dead-letter queue. Each method raises HandoffFailedError."""

    def hold(self, letter: DeadLetter) -> None:
        """Extend its visibility timeout; fails when the receipt has expired."""
        ...

    def delete(self, letter: DeadLetter) -> None:
        """Remove it for good."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of replaying a dead letter."""

    done: bool
    """Whether it was sent; if not, it is still in the queue."""
    message: str


@dataclass(frozen=True, slots=True)
class ReplayDeadLetters:
    """Replays one at a time, at least once: a failure between two steps loses nothing."""

    letters: DeadLetters
    replay: Replay

    def __call__(self, letter: DeadLetter) -> Replayed:
        """Send a message to its original target, then delete it."""
        what = letter.what
        if isinstance(what, str):
            return Replayed(done=False, message="stays in the queue")
        try:
            self.letters.hold(letter)
            message = self.replay.resend(what)
        except (FunctionFailedError, NotDeployedError, HandoffFailedError) as error:
            return Replayed(done=False, message=f"stays in the queue: {error}")
        try:
            self.letters.delete(letter)
        except HandoffFailedError as error:
            return Replayed(done=False, message=f"{message}, but it is still in the queue: {error}")
        return Replayed(done=True, message=message)
