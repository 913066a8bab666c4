"""AWS Systems Manager: the parameter that holds the policy."""

from typing import TYPE_CHECKING

from emr_log_guard.adapters.aws_errors import AWS_ERRORS, code_of
from emr_log_guard.usecases.ports import StoredPolicy, UnreadablePolicy

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient

_LASTING = frozenset({"AccessDeniedException", "ParameterNotFound", "ValidationException"})


class SsmPolicyParameter:
    """One parameter of Parameter Store.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
    """

    def __init__(self, client: "SSMClient", name: str) -> None:
        """Read this parameter."""
        self._client = client
        self.name = name

    def read(self) -> StoredPolicy | UnreadablePolicy:
        """Read the document as it is stored: one GetParameter."""
        try:
            parameter = self._client.get_parameter(Name=self.name)["Parameter"]
        except AWS_ERRORS as error:
            code = code_of(error)
            reason = f"ssm:GetParameter on {self.name} answered {code}"
            return UnreadablePolicy(reason, transient=code not in _LASTING)
        return StoredPolicy(parameter["Value"], parameter["Version"], parameter["LastModifiedDate"])

    def write(self, text: str) -> int:
        """Store a document in place of the one that is there. Errors fly.

        Returns:
            The version that it got.

        """
        answer = self._client.put_parameter(
            Name=self.name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=True
        )
        return answer["Version"]
