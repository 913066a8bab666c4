"""What the template deploys for given parameters, with all conditions evaluated."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import decode  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]

# All optional parts enabled, so that no test misses a conditional resource.
EVERYTHING = {
    "EnforcementAllowed": "true",
    "TerminationProtection": "override",
    "ReencryptionAllowed": "true",
    "AlertEmail": "security@example.com",
    "OperationsEmail": "operations@example.com",
    "LogBuckets": "amzn-s3-demo-emr-logs,amzn-s3-demo-more-logs",
    "SecurityHub": "true",
    "EventBusArn": "arn:aws:events:eu-west-1:444455556666:event-bus/emr-log-guard",
    "SlackWebhookSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:hook-AbCdEf",
    "SlackWebhookSecretKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd",
    "AmazonQNotifications": "true",
}

NOTHING = object()
_PLACE = re.compile(r"\$\{([^}]+)\}")


@cache
def template() -> Mapping[str, Any]:
    """The template, with intrinsic functions in their long form."""
    decoded, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    return dict(decoded)


class Stack:
    """The template for given parameters; the others have their defaults."""

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        self.parameters = {
            name: str(parameter.get("Default", ""))
            for name, parameter in template()["Parameters"].items()
        } | dict(parameters or {})
        self.resources: dict[str, dict[str, Any]] = {
            name: self.decided(resource)
            for name, resource in template()["Resources"].items()
            if "Condition" not in resource or self.holds({"Condition": resource["Condition"]})
        }
        self.resources |= {
            name: {"Type": "AWS::Events::Rule", "Properties": rule} for name, rule in self._rules()
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of a type, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def deployed_global(self, section: str) -> Any:  # noqa: ANN401 - a template is any JSON
        """A section of the properties that all functions share."""
        return self.decided(template()["Globals"]["Function"][section])

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        """The properties of every function, by logical id."""
        return self.of_type("AWS::Serverless::Function")

    def variables(self, function: str) -> dict[str, Any]:
        """The environment variables of a function, including the shared ones."""
        own: dict[str, Any] = self.functions[function]["Environment"]["Variables"]
        return {**self.deployed_global("Environment")["Variables"], **own}

    def managed_policies(self, function: str) -> list[str]:
        """The managed policies of the stack that a function has, by logical id."""
        return [each["Ref"] for each in self.functions[function]["Policies"] if "Ref" in each]

    def statements(self, function: str) -> Iterator[dict[str, Any]]:
        """The policy statements of a function, actions and resources as lists."""
        managed = self.of_type("AWS::IAM::ManagedPolicy")
        for policy in self.functions[function]["Policies"]:
            document = managed[policy["Ref"]]["PolicyDocument"] if "Ref" in policy else policy
            for statement in document["Statement"]:
                yield statement | {
                    field: value if isinstance(value := statement[field], list) else [value]
                    for field in ("Action", "Resource")
                }

    def actions(self, function: str) -> set[str]:
        """All actions that a function's own policies allow."""
        return {action for allowed in self.statements(function) for action in allowed["Action"]}

    def holds(self, condition: Any) -> bool:  # noqa: ANN401 - a template is any JSON
        """Evaluate a condition."""
        match condition:
            case {"Condition": name}:
                return self.holds(template()["Conditions"][name])
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": inner}:
                return all(self.holds(one) for one in inner)
            case {"Fn::Or": inner}:
                return any(self.holds(one) for one in inner)
            case {"Fn::Equals": [left, right]}:
                return bool(self.decided(left) == self.decided(right))
            case _:
                message = f"a condition that this does not know: {condition}"
                raise ValueError(message)

    def _rules(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rules that SAM makes of functions' events; test_many_accounts compares with SAM."""
        for function, properties in self.functions.items():
            for event, source in properties.get("Events", {}).items():
                name, given = f"{function}{event}", source["Properties"]
                target = {
                    "Arn": {"Fn::GetAtt": [function, "Arn"]},
                    "Id": f"{name}LambdaTarget",
                    **{
                        field: given[field]
                        for field in ("Input", "RetryPolicy", "DeadLetterConfig")
                        if field in given
                    },
                }
                match source["Type"]:
                    case "EventBridgeRule":
                        yield name, {"EventPattern": given["Pattern"], "Targets": [target]}
                    case "Schedule":
                        yield (
                            name,
                            {
                                "ScheduleExpression": given["Schedule"],
                                "Description": given["Description"],
                                "Targets": [target],
                            },
                        )
                    case _:
                        pass  # a subscription is no rule

    def decided(self, node: Any) -> Any:  # noqa: ANN401
        """Give a part of a template with its conditions decided and its parameters filled in."""
        match node:
            case {"Fn::If": [name, yes, no]}:
                return self.decided(yes if self.holds({"Condition": name}) else no)
            case {"Ref": "AWS::NoValue"}:
                return NOTHING
            case {"Ref": name} if name in self.parameters:
                return self.parameters[name]
            case {"Fn::Split": [delimiter, text]}:
                text = self.decided(text)
                if isinstance(text, str):
                    return text.split(delimiter)
                return {"Fn::Split": [delimiter, text]}
            case dict():
                decided = {key: self.decided(value) for key, value in node.items()}
                return {key: value for key, value in decided.items() if value is not NOTHING}
            case list():
                return [one for each in node if (one := self.decided(each)) is not NOTHING]
            case _:
                return node


def text(node: Any) -> str:  # noqa: ANN401 - a template is any JSON
    """The text of a template value, with `<Name>` or `<Name.Attribute>` for what AWS fills in."""
    match node:
        case str():
            return node
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Sub": [str(pattern), dict(places)]}:
            return _PLACE.sub(
                lambda found: text(places[found[1]]) if found[1] in places else f"<{found[1]}>",
                pattern,
            )
        case {"Fn::Sub": str(pattern)}:
            return text({"Fn::Sub": [pattern, {}]})
        case _:
            message = f"a text that this does not know: {node}"
            raise ValueError(message)
