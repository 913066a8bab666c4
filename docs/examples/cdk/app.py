"""EMR Log Guard as a CDK stack: docs/install.md, "With Terraform or the CDK"."""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk.cloudformation_include import CfnInclude

app = App()
stack = Stack(app, "emr-log-guard")
guard = CfnInclude(stack, "EmrLogGuard", template_file="stack.json", parameters={"Mode": "observe"})
# Every resource can be used by its logical id, for example to subscribe to the alerts.
CfnOutput(stack, "AlertsTopic", value=guard.get_resource("AlertsTopic").ref)
app.synth()
