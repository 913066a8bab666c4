"""The wiring of check_key."""

from collections.abc import Mapping

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.dynamodb import DynamoLedger
from emr_log_guard.adapters.eventbridge import EventBridgeRechecks
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.adapters.ssm import SsmPolicyParameter
from emr_log_guard.config import required
from emr_log_guard.usecases.check_key import CheckKey
from emr_log_guard.usecases.current_policy import CurrentPolicy


def check_key(env: Mapping[str, str]) -> CheckKey:
    """Wire the key check."""
    return CheckKey(
        keys=KmsKeys(clients.kms),
        clusters=DynamoLedger(clients.dynamodb(), required(env, "FINDINGS_TABLE_NAME")),
        rechecks=EventBridgeRechecks(clients.events(), required(env, "STACK_NAME")),
        policy=CurrentPolicy(
            SsmPolicyParameter(clients.ssm(), required(env, "POLICY_PARAMETER_NAME")),
            None,
            None,  # the functions that judge by the policy say when it is wrong
            allowed=False,
        ),
    )
