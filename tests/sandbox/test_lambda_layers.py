"""https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html"""

from sandbox import Sandbox
from tests.sandbox.functions import invoke, make_function, package

CODE = """
from pathlib import Path

import layered

def handler(event, context):
    return [layered.ANSWER, str(Path(layered.__file__).resolve())]
"""


def test_environments_share_the_unpacked_layer(sandbox: Sandbox) -> None:
    layer = sandbox.client("lambda").publish_layer_version(
        LayerName="layered", Content={"ZipFile": package(python__layered="ANSWER = 42")}
    )["LayerVersionArn"]
    one, other = (make_function(sandbox, CODE, Layers=[layer]) for _ in range(2))

    (answer, path), failed = invoke(sandbox, one)

    assert (answer, failed) == (42, False)
    assert invoke(sandbox, other) == ([42, path], False)
