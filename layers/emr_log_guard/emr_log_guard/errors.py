"""The guard's own errors.

GuardError
├── InvalidEventError            what arrived is not what a function handles: dead-lettered
├── InvalidConfigurationError    the environment is wrong: it stops the cold start
├── InvalidPolicyError           the policy document is wrong: the last valid one holds instead
├── ClusterNotFoundError         EMR knows no such cluster in this account and Region
├── ObjectNotFoundError          the log object is gone
├── NotReadableError             a list of clusters or objects cannot be read, or not to its end
│   └── AccessDeniedError        AWS denies it: trying again will not help
├── AuditStoppedError            the audit was interrupted: what waits to call AWS gives up
├── TerminationNotAcceptedError  EMR answered with an error that a retry may cure
├── TerminationRefusedError      EMR will not end the cluster, and a retry will not help
├── WriteConflictError          somebody else wrote the ledger first: read it again
├── StalePolicyError             a newer policy has decided already: evaluate again under it
├── PolicyUnavailableError       no termination without a valid policy: tried again
├── TerminationInProgressError   another invocation is calling EMR: tried again, lest it died
├── AlertInProgressError           another invocation is about to tell: tried again, lest it died
├── KeyUnreadableError           KMS did not say which key is meant: tried again
├── RecheckNotRequestedError     a request for a check was not taken: tried again
├── AlertNotAcceptedError        SNS refused an alert, or was never reached: tried again at once
├── AlertNotDeliveredError       an alert could not be handed on: its delivery is retried
├── InvalidWebhookError         a webhook's secret or the webhook itself has to be mended
├── PutEventsFailedError           an event bus did not take an event: its delivery is retried
├── NotDeployedError             there is no such stack, or nothing of that name in it
├── HandoffFailedError           AWS did not take what was to be replayed
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
    """The log object is gone."""


class NotReadableError(GuardError):
    """A list cannot be read, or not to its end. The message says which call said what."""


class AccessDeniedError(NotReadableError):
    """AWS denies to list it, which trying again will not change. The message names the call."""


class AuditStoppedError(GuardError):
    """The audit was interrupted: what waits to call AWS gives up."""


class TerminationRefusedError(GuardError):
    """EMR will not terminate the cluster, and a retry will not help. The message is EMR's."""


class TerminationNotAcceptedError(GuardError):
    """EMR answered with an error, and a retry may help. The message says which call said what."""


class WriteConflictError(GuardError):
    """Somebody else wrote to the ledger since it was read."""


class AlertInProgressError(GuardError):
    """Another invocation took an alert upon itself; whether it dies is only known later."""


class StalePolicyError(GuardError):
    """A policy that was stored later than the one at hand has decided about the cluster."""


class PolicyUnavailableError(GuardError):
    """The policy could not be read, or is invalid: nothing is decided about terminations."""


class TerminationInProgressError(GuardError):
    """Another invocation is calling EMR about this cluster; whether it dies is only known later."""


class KeyUnreadableError(GuardError):
    """KMS did not say which key is meant. The message says which call said what."""


class RecheckNotRequestedError(GuardError):
    """EventBridge did not take a request for a check."""


class AlertNotAcceptedError(GuardError):
    """SNS refused an alert, or was never reached: nobody was notified. The message says why."""


class AlertNotDeliveredError(GuardError):
    """An alert could not be handed on."""


class InvalidWebhookError(GuardError):
    """A webhook cannot be used as it is. The message names its secret, never its URL."""


class PutEventsFailedError(GuardError):
    """An event bus did not take an event."""


class NotDeployedError(GuardError):
    """There is no such stack here, or it has no such function or queue. The message says which."""


class HandoffFailedError(GuardError):
    """AWS did not take what was to be replayed. The message says which call said what."""


class FunctionFailedError(GuardError):
    """A function was invoked and failed. The message has its error's type and message."""
