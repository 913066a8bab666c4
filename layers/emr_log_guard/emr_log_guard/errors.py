"""The guard's own errors.

GuardError
├── InvalidEventError            what arrived is not what a function handles: dead-lettered
├── InvalidConfigurationError    the environment is wrong: it stops the cold start
├── InvalidPolicyError           the policy document is wrong: the last valid one applies instead
├── ClusterNotFoundError         EMR knows no such cluster in this account and Region
├── ObjectNotFoundError          the log object does not exist
├── NotReadableError             a list of clusters or objects cannot be read completely
│   └── AccessDeniedError        AWS denies the call: not retried
├── AuditStoppedError            the audit was interrupted: pending calls are given up
├── ReencryptionRefusedError     S3 refuses to re-encrypt an object: not retried
├── TerminationNotAcceptedError  EMR answered with a temporary error: retried
├── TerminationRefusedError      EMR refuses to terminate the cluster: not retried
├── WriteConflictError           another invocation wrote the record first: re-read it
├── StalePolicyError             a decision was made under a newer policy: re-evaluate under it
├── PolicyUnavailableError       no termination without a valid policy: retried
├── TerminationInProgressError   another invocation is calling EMR: retried, as it may have died
├── AlertInProgressError         another invocation is sending it: retried, as it may have died
├── KeyUnreadableError           KMS did not resolve the key: retried
├── ReencryptionNotRequestedError  SQS did not accept a request to re-encrypt: retried
├── RecheckNotRequestedError     EventBridge did not accept a check request: retried
├── AlertNotAcceptedError        SNS rejected an alert, or was not reached: retried at once
├── AlertNotDeliveredError       an alert could not be delivered: retried
├── InvalidWebhookError          a webhook or its secret is invalid: an operator has to fix it
├── PutEventsFailedError         an event bus did not accept an event: retried
├── NotDeployedError             there is no such stack, or it has no such resource
├── HandoffFailedError           AWS did not accept a replayed message
└── FunctionFailedError          a function was invoked and failed
"""


class GuardError(Exception):
    """Any error of the guard's own."""


class InvalidEventError(GuardError):
    """What arrived is not what the function handles. The message names the field."""


class InvalidConfigurationError(GuardError):
    """The environment is wrong. The message names the variable and the fix."""


class InvalidPolicyError(GuardError):
    """The policy document is wrong. Each problem names the field and the fix."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Say what is wrong, at least one thing."""
        super().__init__("\n".join(problems))
        self.problems = problems


class ClusterNotFoundError(GuardError):
    """EMR knows no such cluster in this account and Region."""


class ObjectNotFoundError(GuardError):
    """The log object does not exist."""


class NotReadableError(GuardError):
    """A list cannot be read completely. The message names the call and its error."""


class AccessDeniedError(NotReadableError):
    """AWS denies listing it, and a retry will not help. The message names the call."""


class AuditStoppedError(GuardError):
    """The audit was interrupted: pending calls are given up."""


class ReencryptionRefusedError(GuardError):
    """S3 will not re-encrypt an object, and a retry will not help. The message says what to do."""


class TerminationRefusedError(GuardError):
    """EMR will not terminate the cluster, and a retry will not help. The message is EMR's."""


class TerminationNotAcceptedError(GuardError):
    """EMR answered with a temporary error. The message names the call and its error."""


class TemporarilyUnavailableError(GuardError):
    """AWS throttled a read, timed out or failed by its own fault; to be tried again.

    The message says which call answered what.
    """


class WriteConflictError(GuardError):
    """The record was changed since it was read."""


class AlertInProgressError(GuardError):
    """Another invocation holds the lease on an alert; it may have died."""


class OutdatedSnapshotError(GuardError):
    """A notification or action would follow from a stored snapshot of a cluster."""


class StalePolicyError(GuardError):
    """A decision about the cluster was made under a policy that was stored later."""


class PolicyUnavailableError(GuardError):
    """The policy could not be read, or is invalid: nothing is decided about terminations."""


class TerminationInProgressError(GuardError):
    """Another invocation is calling EMR about this cluster; it may have died."""


class KeyUnreadableError(GuardError):
    """KMS did not resolve the key. The message names the call and its error."""


class ReencryptionNotRequestedError(GuardError):
    """SQS did not accept a request to re-encrypt a log object."""


class RecheckNotRequestedError(GuardError):
    """EventBridge did not accept a check request."""


class AlertNotAcceptedError(GuardError):
    """SNS rejected an alert, or was not reached: it was not sent. The message says why."""


class AlertNotDeliveredError(GuardError):
    """An alert could not be delivered."""


class InvalidWebhookError(GuardError):
    """A webhook cannot be used as it is. The message names its secret, never its URL."""


class PutEventsFailedError(GuardError):
    """An event bus did not accept an event."""


class NotDeployedError(GuardError):
    """There is no such stack here, or it has no such function or queue. The message says which."""


class HandoffFailedError(GuardError):
    """AWS did not accept a replayed message. The message names the call and its error."""


class FunctionFailedError(GuardError):
    """A function was invoked and failed. The message has the error's type and message."""
