mock_provider "aws" {
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:publog" }
  }
}

variables {
  name        = "publog"
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
}

run "secrets_are_encrypted_by_our_own_key" {
  assert {
    condition     = alltrue([for secret in [aws_secretsmanager_secret.log, aws_secretsmanager_secret.search] : secret.kms_key_id == var.kms_key_arn])
    error_message = "A secret is under another key."
  }

  assert {
    condition     = startswith(aws_secretsmanager_secret.log.name, "AmazonMSK_")
    error_message = "MSK would not take it."
  }

  assert {
    condition     = jsondecode(aws_secretsmanager_secret_version.log.secret_string).username == "publog"
    error_message = "Another user."
  }
}
