"""The parts of template.yaml that the pages document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cfnlint.decode import decode  # type: ignore[import-untyped]

ALARM = "AWS::CloudWatch::Alarm"
DASHBOARD = "AWS::CloudWatch::Dashboard"
FUNCTION = "AWS::Serverless::Function"


@dataclass(frozen=True, slots=True)
class Template:
    """The template, decoded: `!Ref X` is `{"Ref": "X"}`."""

    content: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the template.

        Raises:
            ValueError: It is none.

        """
        content, problems = decode(str(file))
        if problems:
            message = f"{file}: {problems}"
            raise ValueError(message)
        return cls(content)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The parameters by name."""
        return self._section("Parameters")

    @property
    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """The headings under which the parameters are asked for, and those below each."""
        interface = self.content["Metadata"]["AWS::CloudFormation::Interface"]
        for group in interface["ParameterGroups"]:
            yield group["Label"]["default"], list(group["Parameters"])

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """The outputs by name."""
        return self._section("Outputs")

    @property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """The properties of each function, by the name of its folder."""
        return {
            resource["Properties"]["CodeUri"].rstrip("/").rpartition("/")[2]: resource["Properties"]
            for resource in self._section("Resources").values()
            if resource["Type"] == FUNCTION
        }

    @property
    def alarms(self) -> Iterator[tuple[str, str, str]]:
        """Each alarm: its name, its description, and when there is one."""
        for name, resource in self._section("Resources").items():
            if resource["Type"] == ALARM:
                there = self._condition(resource["Condition"]) if "Condition" in resource else ""
                yield name, resource["Properties"]["AlarmDescription"], there

    @property
    def dashboard_body(self) -> str:
        """The body of the dashboard, the names of resources not filled in."""
        [body] = [
            resource["Properties"]["DashboardBody"]
            for resource in self._section("Resources").values()
            if resource["Type"] == DASHBOARD
        ]
        pattern, _ = body["Fn::Sub"]
        return str(pattern)

    @property
    def function_defaults(self) -> Mapping[str, Any]:
        """The properties that every function has unless it says otherwise."""
        defaults: Mapping[str, Any] = self.content["Globals"]["Function"]
        return defaults

    def _condition(self, name: str) -> str:
        return self._in_words(self.content["Conditions"][name])

    def _in_words(self, condition: object) -> str:
        match condition:
            case {"Condition": str(name)}:
                return self._condition(name)
            case {"Fn::Equals": [{"Ref": parameter}, value]}:
                return f"`{parameter}` is `{value}`"
            case {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}:
                return f"`{parameter}` is not empty"
            case {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, value]}]}:
                return f"`{parameter}` is not `{value}`"
            case {"Fn::Or": [*conditions]}:
                return " or ".join(map(self._in_words, conditions))
            case {"Fn::And": [*conditions]}:
                return ", and ".join(map(self._in_words, conditions))
            case _:
                message = f"a condition that this does not know: {condition}"
                raise ValueError(message)

    def _section(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        section: Mapping[str, Mapping[str, Any]] = self.content[name]
        return section
