# EMR Log Guard as a CloudFormation stack, from a packaged release: docs/install.md, "With Terraform or the CDK".

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "template" {
  description = "The path of packaged.yaml, which `sam package` wrote."
  type        = string
  default     = "packaged.yaml"
}

variable "bucket" {
  description = "The bucket that `sam package` uploaded the code to, in the Region of the stack."
  type        = string
}

variable "parameters" {
  description = "The stack's parameters: docs/configuration.md."
  type        = map(string)
  default     = { Mode = "observe" }
}

data "aws_s3_bucket" "artifacts" {
  bucket = var.bucket
}

# CloudFormation takes at most 51,200 bytes in a request; the template is larger.
resource "aws_s3_object" "template" {
  bucket = data.aws_s3_bucket.artifacts.id
  key    = "emr-log-guard/${filesha256(var.template)}.yaml"
  source = var.template
}

resource "aws_cloudformation_stack" "emr_log_guard" {
  name         = "emr-log-guard"
  template_url = "https://${data.aws_s3_bucket.artifacts.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"] # roles, and SAM's transform
  parameters   = var.parameters
}

output "stack_outputs" {
  description = "For example the ARN of the topic that other tools subscribe to."
  value       = aws_cloudformation_stack.emr_log_guard.outputs
}
