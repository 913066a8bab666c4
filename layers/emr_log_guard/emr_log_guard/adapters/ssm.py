"""AWS Systems Manager: the parameter that holds the policy."""

from typing import TYPE_CHECKING

from emr_log_guard.adapters.errors import AWS_ERRORS, code_of, failure_of, handoff
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
            return self._get()
        except AWS_ERRORS as error:
            reason = failure_of("ssm:GetParameter", self.name, error)
            return UnreadablePolicy(reason, transient=code_of(error) not in _LASTING)

    def fetch(self) -> StoredPolicy:
        """Read the document as it is stored: one GetParameter.

        Raises:
            HandoffFailedError: It cannot be read.

        """
        with handoff("ssm:GetParameter", self.name):
            return self._get()

    def versions(self) -> tuple[StoredPolicy, ...]:
        """Read the versions that Parameter Store keeps, at most 100: a GetParameterHistory per 50.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterHistory.html

        Returns:
            The versions, the oldest first; empty when there is no such parameter.

        Raises:
            HandoffFailedError: They cannot be read.

        """
        pages = self._client.get_paginator("get_parameter_history").paginate(Name=self.name)
        with handoff("ssm:GetParameterHistory", self.name):
            try:
                return tuple(
                    StoredPolicy(
                        each["Value"],
                        each["Version"],
                        each["LastModifiedDate"],
                        each.get("LastModifiedUser"),
                    )
                    for page in pages
                    for each in page["Parameters"]
                )
            except self._client.exceptions.ParameterNotFound:
                return ()

    def write(self, text: str) -> int:
        """Replace the stored document: one PutParameter.

        Returns:
            The new version.

        Raises:
            HandoffFailedError: It was not stored.

        """
        with handoff("ssm:PutParameter", self.name):
            answer = self._client.put_parameter(
                Name=self.name,
                Value=text,
                Type="String",
                Tier="Intelligent-Tiering",
                Overwrite=True,
            )
        return answer["Version"]

    def _get(self) -> StoredPolicy:
        parameter = self._client.get_parameter(Name=self.name)["Parameter"]
        return StoredPolicy(parameter["Value"], parameter["Version"], parameter["LastModifiedDate"])
