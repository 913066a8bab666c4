"""The examples name parameters and resources that the stack has."""

import re

import hcl2

from tests.docs.pages import ROOT
from tests.template.stack import template

EXAMPLES = ROOT / "docs" / "examples"


def test_terraform_example_uses_the_variables_that_it_declares() -> None:
    text = (EXAMPLES / "terraform" / "main.tf").read_text()
    [*variables] = hcl2.loads(text)["variable"]
    declared = {name.strip('"') for variable in variables for name in variable}

    assert declared == set(re.findall(r"\bvar\.(\w+)", text))


def test_examples_name_parameters_and_resources_of_the_stack() -> None:
    terraform = (EXAMPLES / "terraform" / "main.tf").read_text()
    cdk = (EXAMPLES / "cdk" / "app.py").read_text()
    parameters = re.findall(r"default += \{ (\w+) =", terraform)
    parameters += re.findall(r'parameters=\{"(\w+)"', cdk)
    resources = re.findall(r'get_resource\("(\w+)"\)', cdk)

    assert len(parameters) == 2
    assert set(parameters) <= set(template()["Parameters"])
    assert resources
    assert set(resources) <= set(template()["Resources"])
