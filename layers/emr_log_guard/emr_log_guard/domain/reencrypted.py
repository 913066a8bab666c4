"""What was re-encrypted of the log objects of a finding: a part of its record.

An attempt is recorded before S3 is called, and counted only once the object was read again. So a
crash between the two loses no count, and a message that is delivered again counts nothing twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from emr_log_guard.domain.keys import same_key
from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.reencryption import Reencrypt

TRIES = 3
"""How often the re-encryption of an object is tried within PERIOD."""
PERIOD = timedelta(days=1)
HELD = timedelta(seconds=150)
"""How long an object is left to the invocation that re-encrypts it: longer than that may run."""
ATTEMPTS = 500
"""How many attempts are recorded: an item of the table has 400 KB at most."""
SAMPLES = 5
FORMER_KEYS = 10
OTHER_KEYS = "other keys"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempts to re-encrypt one object."""

    first: datetime
    """UTC"""
    tries: int = 1
    former: str = ""
    """The ARN or id of the key that it had, or `SSE-S3`."""
    key_arn: str = ""
    """The key that it is to have."""
    owner: str | None = None
    """The invocation that tries it, or whose result is unknown; None when the attempt failed."""
    until: datetime | None = None
    """Until when the object is left to that invocation, UTC."""

    def held_by_another(self, owner: str, now: datetime) -> bool:
        """Whether another invocation is re-encrypting the object."""
        return self.owner not in (None, owner) and self.until is not None and now < self.until


@dataclass(frozen=True, slots=True)
class Failure:
    """Why objects could not be re-encrypted, and what to do."""

    at: datetime
    """When that was last found, UTC."""
    notified: datetime | None = None
    """When it was last notified, UTC."""


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The re-encryption of a finding's log objects."""

    count: int = 0
    """How many objects were re-encrypted, since the record exists."""
    former: Mapping[str, int] = field(default_factory=dict)
    """The same by the key that they had, or `SSE-S3`."""
    last: datetime | None = None
    """When the last one was, UTC."""
    keys: tuple[str, ...] = ()
    """The keys that they have now, the latest first: steps may name keys of their own."""
    samples: tuple[str, ...] = ()
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    """Attempts that are in progress or failed, by `fingerprint`."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """By cause."""
    notified: datetime | None = None
    """When `remediation.done` was last notified, UTC."""
    notified_count: int = 0
    """How many objects it named."""

    @property
    def unnotified(self) -> bool:
        """Whether objects were re-encrypted since the count was last notified."""
        return self.count > self.notified_count

    @property
    def former_keys(self) -> str:
        """How many objects had which key."""
        return ", ".join(f"{count} from {name}" for name, count in self.former.items())


@dataclass(frozen=True, slots=True)
class Begun:
    """Which objects an invocation may re-encrypt now."""

    state: Reencrypted
    mine: frozenset[ObjectVersion]
    held: frozenset[ObjectVersion]
    """Another invocation is re-encrypting these."""
    exhausted: frozenset[ObjectVersion]
    """Tried TRIES times already, or too many others failed."""


def fingerprint(version: ObjectVersion) -> str:
    """Return a short name of an object and its version."""
    return sha256(str(version).encode()).hexdigest()[:24]


def begin(
    state: Reencrypted, wanted: Mapping[ObjectVersion, Reencrypt], owner: str, now: datetime
) -> Begun:
    """Record that objects are about to be re-encrypted.

    Args:
        state: The state as stored.
        wanted: What was decided about each object.
        owner: The invocation.
        now: UTC.

    """
    attempts = {k: each for k, each in state.attempts.items() if now - each.first < PERIOD}
    mine, held, exhausted = set(), set(), set()
    for version, decision in wanted.items():
        name = fingerprint(version)
        known = attempts.get(name)
        if known is not None and known.held_by_another(owner, now):
            held.add(version)
        elif (known is None and len(attempts) >= ATTEMPTS) or (known and known.tries >= TRIES):
            exhausted.add(version)
        else:
            tries = known.tries + 1 if known else 1
            first = known.first if known else now
            attempts[name] = Attempt(
                first, tries, decision.former, decision.key_arn, owner, now + HELD
            )
            mine.add(version)
    return Begun(
        replace(state, attempts=attempts),
        frozenset(mine),
        frozenset(held),
        frozenset(exhausted),
    )


def unrecorded(state: Reencrypted, version: ObjectVersion, key: str) -> bool:
    """Whether an attempt to re-encrypt an object with a key began, and its result is unknown."""
    attempt = state.attempts.get(fingerprint(version))
    if attempt is None or attempt.owner is None:
        return False
    return same_key(attempt.key_arn, key)


def finish(
    state: Reencrypted,
    done: Mapping[ObjectVersion, str],
    failed: Mapping[ObjectVersion, str | None],
    now: datetime,
    unknown: Collection[ObjectVersion] = (),
) -> tuple[Reencrypted, frozenset[ObjectVersion]]:
    """Record the results of attempts.

    Args:
        state: The state as stored.
        done: The key of each object that was read with its new key.
        failed: Why the others could not be re-encrypted, or None when that is temporary.
        now: UTC.
        unknown: Those that may be re-encrypted nonetheless: the answer was lost.

    Returns:
        The new state, and the objects that count as re-encrypted by it: an object of which another
        invocation has recorded the result does not.

    """
    attempts, former = dict(state.attempts), dict(state.former)
    counted = {}
    for version, key_arn in done.items():
        attempt = attempts.get(fingerprint(version))
        if attempt is not None and attempt.owner is not None:
            counted[version] = key_arn
            del attempts[fingerprint(version)]
            known = attempt.former in former or len(former) < FORMER_KEYS
            name = attempt.former if known else OTHER_KEYS
            former[name] = former.get(name, 0) + 1
    for version, cause in failed.items():
        attempt = attempts.get(fingerprint(version))
        if attempt is not None:
            tries = attempt.tries - (cause is None)  # a temporary error is no failed attempt
            owner = attempt.owner if version in unknown else None
            attempts[fingerprint(version)] = replace(attempt, tries=tries, owner=owner, until=None)
    samples = tuple(dict.fromkeys((*(str(version) for version in counted), *state.samples)))
    state = replace(
        with_failures(state, (cause for cause in failed.values() if cause), now),
        count=state.count + len(counted),
        former=former,
        last=now if counted else state.last,
        keys=tuple(dict.fromkeys((*counted.values(), *state.keys)))[:FORMER_KEYS],
        samples=samples[:SAMPLES],
        attempts=attempts,
    )
    return state, frozenset(counted)


def with_failures(state: Reencrypted, causes: Iterable[str], now: datetime) -> Reencrypted:
    """Record why objects were not re-encrypted; older causes are forgotten after PERIOD."""
    failures = {c: each for c, each in state.failures.items() if now - each.at < PERIOD}
    for cause in causes:
        known = failures.get(cause)
        failures[cause] = Failure(now, known.notified if known else None)
    return replace(state, failures=dict(list(failures.items())[-FORMER_KEYS:]))


def pending_failures(state: Reencrypted, now: datetime) -> tuple[str, ...]:
    """Return the causes that are to be notified: each once within PERIOD."""
    return tuple(
        cause
        for cause, each in state.failures.items()
        if now - each.at < PERIOD and (each.notified is None or now - each.notified >= PERIOD)
    )


def with_done_notified(state: Reencrypted, now: datetime) -> Reencrypted:
    """Record that the count was notified."""
    return replace(state, notified=now, notified_count=state.count)


def with_failures_notified(
    state: Reencrypted, causes: Collection[str], now: datetime
) -> Reencrypted:
    """Record that causes were notified."""
    failures = {
        cause: replace(each, notified=now) if cause in causes else each
        for cause, each in state.failures.items()
    }
    return replace(state, failures=failures)


def with_notified_from(current: Reencrypted, notified: Reencrypted) -> Reencrypted:
    """Take over what was notified, and keep what was re-encrypted since."""
    failures = {
        cause: replace(each, notified=notified.failures[cause].notified)
        if cause in notified.failures
        else each
        for cause, each in current.failures.items()
    }
    return replace(
        current,
        notified=notified.notified,
        notified_count=notified.notified_count,
        failures=failures,
    )


def evidence(state: Reencrypted) -> dict[str, str | int | tuple[str, ...]]:
    """Return what a finding says of the re-encryption of its objects; empty before the first."""
    if not state.count or state.last is None:
        return {}
    return {
        "reencrypted": state.count,
        "reencrypted_from": tuple(f"{name}: {count}" for name, count in state.former.items()),
        "reencrypted_with": state.keys,
        "reencrypted_last": f"{state.last:%Y-%m-%d %H:%M} UTC",
    }
