"""Random logs, keys, policies, faults, repeats and crashes against what must never happen."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emr_log_guard.domain.decide import AlertKind
from emr_log_guard.domain.keys import KeyManager, KeyState, KmsKey
from emr_log_guard.domain.log_objects import SSE_C, Encryption, ObjectVersion
from emr_log_guard.domain.reencrypted import HELD, PERIOD, TRIES
from emr_log_guard.errors import ReencryptionRefusedError, TemporarilyUnavailableError
from emr_log_guard.events.emr import ClusterCheckRequest
from tests.histories import histories
from tests.unit.builders import (
    ACCOUNT,
    ANOTHER_KEY,
    AWS_MANAGED,
    CLUSTER_ID,
    KEY,
    NOW,
    REGION,
    a_cluster,
    encrypted,
    reencrypting,
)
from tests.unit.fakes import NOT_FOUND, FakeReencryptable
from tests.unit.usecases.world import World, created

KEYLESS_ID = "j-3BYYYYYYHBQMG"
CLUSTERS = {
    CLUSTER_ID: a_cluster(),
    KEYLESS_ID: a_cluster(
        id=KEYLESS_ID,
        arn=a_cluster().arn.replace(CLUSTER_ID, KEYLESS_ID),
        log_key_identifier=None,
    ),
}
FOLDERS = (f"emr/{CLUSTER_ID}/node", f"emr/{KEYLESS_ID}/node", "data", "emr/j-UNKNOWN/node")
HEADS = (
    encrypted("AES256"),
    encrypted("aws:kms", AWS_MANAGED.arn),
    encrypted("aws:kms", KEY.arn),
    encrypted("aws:kms", ANOTHER_KEY.arn),
    encrypted("aws:kms:dsse", AWS_MANAGED.arn),
    encrypted(SSE_C),
    encrypted(None),
)
SUPPORTED = ("AES256", "aws:kms")
FAULTS = st.sampled_from(
    [
        None,
        TemporarilyUnavailableError("s3:UpdateObjectEncryption answered SlowDown"),
        ReencryptionRefusedError("s3:UpdateObjectEncryption answered AccessDenied"),
        KeyboardInterrupt(),
    ]
)


class Watched(FakeReencryptable):
    """Objects that raise an alarm when anything is updated that must never be."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.tries: dict[str, int] = {}

    def reencrypt(
        self, version: ObjectVersion, key_arn: str, owner: str, *, bucket_key: bool
    ) -> None:
        policy, key = self.world.policy, self.world.keys.facts[key_arn]
        assert policy.reencryption.active, "re-encryption is disabled"
        assert any(f"/{each}/" in version.key for each in CLUSTERS), "no log of a known cluster"
        assert isinstance(key, KmsKey)
        assert (key.manager, key.state) == (KeyManager.CUSTOMER, KeyState.ENABLED)
        assert (key.account, key.region, owner) == (ACCOUNT, REGION, ACCOUNT)
        assert not policy.approved_keys or key_arn in policy.approved_keys, "an unapproved key"
        head = self.heads[version.key]
        assert isinstance(head, Encryption)
        assert head.algorithm in SUPPORTED
        assert head.key_identifier != key_arn, "a compliant object"
        fault = self.refusals.get(version.key) or self.after.get(version.key)
        if not isinstance(fault, TemporarilyUnavailableError):
            self.tries[version.key] = self.tries.get(version.key, 0) + 1
        super().reencrypt(version, key_arn, owner, bucket_key=bucket_key)


class Reencryption(RuleBasedStateMachine):
    """A guard, its queue, and everything that happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(policy=reencrypting(default_key=ANOTHER_KEY.arn))
        self.objects = self.world.objects = Watched(self.world)
        self.world.clusters.known = dict(CLUSTERS)
        self.keys(KeyState.ENABLED, KeyState.ENABLED)
        self.messages: list[ObjectVersion] = []
        self.written = 0

    @rule(folder=st.sampled_from(FOLDERS), head=st.sampled_from(HEADS))
    def write(self, folder: str, head: Encryption) -> None:
        self.written += 1
        key = f"{folder}/log-{self.written}"
        self.objects.heads = {**self.objects.heads, key: head}
        self.messages.append(ObjectVersion("example-logs", key))
        check = self.world.check_log_objects
        check.check([check.read(created(key))])

    @rule(
        one=st.sampled_from([KeyState.ENABLED, KeyState.DISABLED]),
        other=st.sampled_from([KeyState.ENABLED, KeyState.PENDING_DELETION]),
    )
    def keys(self, one: KeyState, other: KeyState) -> None:
        self.world.keys.facts = {
            KEY.arn: replace(KEY, state=one),
            ANOTHER_KEY.arn: replace(ANOTHER_KEY, state=other),
            AWS_MANAGED.arn: AWS_MANAGED,
        }

    @rule(
        enabled=st.booleans(),
        approved=st.sampled_from([(), (KEY.arn,), (KEY.arn, ANOTHER_KEY.arn)]),
    )
    def policy(self, *, enabled: bool, approved: tuple[str, ...]) -> None:
        policy = reencrypting(enabled=enabled, default_key=ANOTHER_KEY.arn)
        self.world.policy = replace(policy, approved_keys=approved)

    @rule(most=st.sampled_from([1, 3, 100_000]))
    def budget(self, most: int) -> None:
        policy = self.world.policy
        budget = replace(policy.reencryption, max_objects_per_hour=most)
        self.world.policy = replace(policy, reencryption=budget)

    @rule(fault=FAULTS, lost=st.booleans(), data=st.data())
    def deliver(self, fault: BaseException | None, data: st.DataObject, *, lost: bool) -> None:
        """Deliver some messages, any number of times, to a function that may die."""
        if not self.messages:
            return
        batch = data.draw(st.lists(st.sampled_from(self.messages), min_size=1, max_size=5))
        struck = data.draw(st.sampled_from(batch)).key
        if fault is not None:
            done = lost and not isinstance(fault, ReencryptionRefusedError)
            (self.objects.after if done else self.objects.refusals)[struck] = fault
        with suppress(KeyboardInterrupt):
            self.world.reencrypt.reencrypt(batch)
        self.objects.after.clear()
        self.objects.refusals.clear()

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete an object that was not updated: whether it was could not be seen any more."""
        updated = {version.key for version, *_ in self.objects.updates}
        untouched = sorted({*self.objects.heads} - updated)
        if untouched:
            key = data.draw(st.sampled_from(untouched))
            self.objects.heads = {**self.objects.heads, key: NOT_FOUND}

    @rule(minutes=st.sampled_from([1, 5, 60]))
    def wait(self, minutes: int) -> None:
        self.world.passes(minutes=minutes)

    def counted(self) -> int:
        return sum(
            record.reencryption.count
            for cluster_id in (*CLUSTERS, "j-UNKNOWN")
            for record in self.world.repository.read(cluster_id).records.values()
        )

    @invariant()
    def no_more_is_counted_than_was_done(self) -> None:
        assert self.counted() <= len(self.objects.updates)

    @invariant()
    def no_alert_counts_more_than_was_done(self) -> None:
        for number in self.alerted().values():
            assert number <= len(self.objects.updates)

    def alerted(self) -> dict[tuple[str, str], int]:
        """Return the last total that was alerted for each cluster and rule."""
        return {
            (alert.findings[0].cluster_id, alert.findings[0].rule_id): int(alert.detail.split()[0])
            for alert in self.world.alerts.published
            if alert.kind is AlertKind.REMEDIATION_DONE
        }

    @invariant()
    def no_object_is_tried_more_often_than_allowed(self) -> None:
        days = 1 + (self.world.now - NOW) // PERIOD
        assert all(tries <= TRIES * days for tries in self.objects.tries.values())

    def teardown(self) -> None:
        """Everything is right in the end, and counted once."""
        self.keys(KeyState.ENABLED, KeyState.ENABLED)
        self.world.policy = reencrypting(default_key=ANOTHER_KEY.arn)
        for after in (timedelta(0), HELD, PERIOD):
            self.world.now += after
            assert not self.world.reencrypt.reencrypt(self.messages) or after == timedelta(0)
        self.world.now += self.world.policy.alerts.remind_every
        for cluster_id in CLUSTERS:
            self.world.check_cluster(ClusterCheckRequest(cluster_id))
        totals = {
            (cluster_id, rule_id): record.reencryption.count
            for cluster_id in CLUSTERS
            for rule_id, record in self.world.repository.read(cluster_id).records.items()
            if record.reencryption.count
        }
        assert self.alerted() == totals
        done = {version.key for version, *_ in self.objects.updates}
        assert self.counted() == len(self.objects.updates) == len(done)
        for key, head in self.objects.heads.items():
            if not isinstance(head, Encryption) or head.algorithm not in SUPPORTED:
                continue
            if f"/{CLUSTER_ID}/" in key or f"/{KEYLESS_ID}/" in key:
                assert head.key_identifier in (KEY.arn, ANOTHER_KEY.arn)


TestReencryption = Reencryption.TestCase
TestReencryption.settings = histories(few=40, steps=25)
