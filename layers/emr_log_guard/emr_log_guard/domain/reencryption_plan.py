"""What a re-encryption would do, counted by a dry run: how many objects, from and to which keys.

It also says for which of them S3 Batch Operations can do the same. A job selects objects by prefix
and current encryption only. So there is one only for a folder of which every object with that
encryption is to be re-encrypted with the same key.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.keys import KeyManager, KmsKey, is_key_arn
from emr_log_guard.domain.log_objects import Encryption, LogObjectFacts
from emr_log_guard.domain.log_uri import is_access_point
from emr_log_guard.domain.reencryption import SUPPORTED, Leave, Reencrypt, Refuse

ENCRYPTIONS = 20
"""How many pairs of a former encryption and a new key are counted for a folder."""
CAUSES = 20
"""How many causes are named for which objects cannot be re-encrypted."""
OTHER_CAUSES = "other causes"
JOBS = 100
"""How many jobs are named, the largest: a person has to create each."""
CHANGES = 50
"""How many pairs of a former encryption and a new key are named, of all folders."""


@dataclass(frozen=True, slots=True)
class PlannedObjects:
    """How many objects of a folder have an encryption that S3 can update, and what they get."""

    former: FormerEncryption
    key_arn: str | None
    """The key that they get; None: they are left as they are."""
    count: int


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The plan for a folder of log objects, or for a part of it."""

    objects: tuple[PlannedObjects, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    """How many objects violate the policy and cannot be re-encrypted, by cause."""
    unknown: int = 0
    """How many objects are in no row of `objects` and may have any encryption."""


@dataclass(slots=True)
class PlanTally:
    """Counts what is planned for a folder. Its size is limited, whatever the folder contains."""

    unknown: int = 0
    _objects: Counter[tuple[FormerEncryption, str | None]] = field(default_factory=Counter)
    _refused: Counter[str] = field(default_factory=Counter)

    def add(self, facts: LogObjectFacts, decision: Reencrypt | Leave | Refuse) -> None:
        """Count an object."""
        if isinstance(decision, Refuse):
            self._refuse(decision.cause, 1)
        encryption = facts.encryption
        if not isinstance(encryption, Encryption):
            self.unknown += 1
        elif encryption.algorithm in SUPPORTED:
            key = facts.object_key
            managed = isinstance(key, KmsKey) and key.manager is KeyManager.AWS
            former = FormerEncryption(encryption.key_identifier, encryption.bucket_key, managed)
            to = decision.key_arn if isinstance(decision, Reencrypt) else None
            self._count(former, to, 1)

    def merge(self, plan: FolderPlan) -> None:
        """Add what was counted of another part of the folder."""
        self.unknown += plan.unknown
        for each in plan.objects:
            self._count(each.former, each.key_arn, each.count)
        for cause, count in plan.refused.items():
            self._refuse(cause, count)

    @property
    def plan(self) -> FolderPlan:
        """What was counted."""
        rows = (PlannedObjects(*row, count) for row, count in self._objects.items())
        return FolderPlan(tuple(rows), dict(self._refused), self.unknown)

    def _count(self, former: FormerEncryption, to: str | None, count: int) -> None:
        if (former, to) in self._objects or len(self._objects) < ENCRYPTIONS:
            self._objects[former, to] += count
        else:
            self.unknown += count

    def _refuse(self, cause: str, count: int) -> None:
        named = cause in self._refused or len(self._refused) < CAUSES
        self._refused[cause if named else OTHER_CAUSES] += count


@dataclass(frozen=True, slots=True)
class PlannedFolder:
    """A folder of log objects, and what is planned for it."""

    bucket: str
    prefix: str
    plan: FolderPlan
    complete: bool
    """Whether all of its objects were read."""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """How many objects get another key."""

    former: FormerEncryption
    key_arn: str
    count: int


@dataclass(frozen=True, slots=True)
class ReencryptionPlan:
    """The plan for all folders of a dry run."""

    changes: tuple[KeyChange, ...] = ()
    """The CHANGES most frequent ones."""
    more_changes: int = 0
    """How many are not named."""
    refused: Mapping[str, int] = field(default_factory=dict)
    jobs: tuple[ReencryptionJob, ...] = ()
    """The JOBS largest ones."""
    more_jobs: int = 0
    """How many are not named."""


def plan_reencryption(
    folders: Sequence[PlannedFolder],
    listed: Mapping[str, int],
    account: str,
    created_before: datetime,
) -> ReencryptionPlan:
    """Sum up what was planned for folders.

    Args:
        folders: All of them, each once.
        listed: How many objects were listed, by bucket.
        account: The account of the jobs. Buckets of others have none.
        created_before: The time before which all objects were there to be read, UTC.

    """
    changes, causes = Counter[tuple[FormerEncryption, str]](), PlanTally()
    for folder in folders:
        causes.merge(FolderPlan(refused=folder.plan.refused))
        for each in folder.plan.objects:
            if each.key_arn is not None:
                changes[each.former, each.key_arn] += each.count
    nested = _nested(folders)
    jobs = sorted(
        (
            ReencryptionJob(
                account,
                folder.bucket,
                folder.prefix,
                each.former,
                each.key_arn,
                created_before,
                each.count,
                listed[folder.bucket],
            )
            for folder in folders
            if (folder.bucket, folder.prefix) not in nested
            for each in _selectable(folder)
            if Arn.of(each.key_arn).account == account
        ),
        key=lambda job: (-job.objects, job.bucket, job.prefix, str(job.former)),
    )
    return ReencryptionPlan(
        tuple(KeyChange(*change, count) for change, count in changes.most_common(CHANGES)),
        max(0, len(changes) - CHANGES),
        causes.plan.refused,
        tuple(jobs[:JOBS]),
        max(0, len(jobs) - JOBS),
    )


def _selectable(folder: PlannedFolder) -> Iterator[KeyChange]:
    """Return what a job can do in a folder without touching any other object."""
    if not folder.complete or folder.plan.unknown or is_access_point(folder.bucket):
        return
    rows_of = defaultdict[FormerEncryption, list[PlannedObjects]](list)
    for each in folder.plan.objects:
        rows_of[each.former].append(each)
    # Other objects may get these keys before the job lists its own.
    new_keys = {each.key_arn for each in folder.plan.objects}
    for former, rows in rows_of.items():
        # The filter's documentation names keys of customers only.
        by_key = former.key_arn is None or (
            is_key_arn(former.key_arn) and not former.aws_managed and former.key_arn not in new_keys
        )
        if by_key and len(rows) == 1 and (to := rows[0].key_arn) is not None:
            yield KeyChange(former, to, rows[0].count)


def _nested(folders: Iterable[PlannedFolder]) -> frozenset[tuple[str, str]]:
    """Return the folders that contain another one, and those: their objects were read twice."""
    places = {(each.bucket, each.prefix) for each in folders}
    nested = set[tuple[str, str]]()
    for bucket, prefix in places:
        above = (prefix[: at + 1] for at, one in enumerate(prefix[:-1]) if one == "/")
        containing = {(bucket, each) for each in above} & places
        if containing:
            nested |= {*containing, (bucket, prefix)}
    return frozenset(nested)
