"""The guard's own errors.

GuardError
├── InvalidEvent            what arrived is not what the function handles; it ends dead-lettered
├── InvalidConfiguration    the function's environment is wrong; it stops the cold start
├── ClusterNotFound         EMR knows no such cluster in this account and Region
├── ObjectNotFound          the log object is gone
├── TerminationRefused      EMR will not terminate the cluster, and a retry will not help
└── AlertNotDelivered       an alert could not be handed on; the delivery is retried
"""


class GuardError(Exception):
    """Any error of the guard's own."""


class InvalidEvent(GuardError):
    """What arrived is not what the function handles. The message names the field."""


class InvalidConfiguration(GuardError):
    """The environment is wrong. The message names the variable and the fix."""


class ClusterNotFound(GuardError):
    """EMR knows no such cluster in this account and Region."""


class ObjectNotFound(GuardError):
    """The log object is gone."""


class TerminationRefused(GuardError):
    """EMR will not terminate the cluster, and a retry will not help. The message is EMR's."""


class AlertNotDelivered(GuardError):
    """An alert could not be handed on."""
