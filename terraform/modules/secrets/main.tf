# Secrets that AWS makes and nobody types: the password to the log. And one that is filled in by hand: the key to the search
# servers. Their values are in Terraform's state too, which must be as well kept as they are.

data "aws_secretsmanager_random_password" "log" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "log" {
  # MSK takes no other names.
  name                    = "AmazonMSK_${var.name}"
  description             = "User and password of publog on Kafka"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "log" {
  secret_id     = aws_secretsmanager_secret.log.id
  secret_string = jsonencode({ username = var.name, password = data.aws_secretsmanager_random_password.log.random_password })

  lifecycle {
    # It is another one each time that it is looked at.
    ignore_changes = [secret_string]
  }
}

resource "aws_secretsmanager_secret_policy" "log" {
  secret_arn = aws_secretsmanager_secret.log.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Brokers"
      Effect    = "Allow"
      Principal = { Service = "kafka.amazonaws.com" }
      Action    = "secretsmanager:GetSecretValue"
      Resource  = aws_secretsmanager_secret.log.arn
    }]
  })
}

resource "aws_secretsmanager_secret" "search" {
  name                    = "${var.name}/elasticsearch-api-key"
  description             = "PUBLOG_ELASTICSEARCH_API_KEY: make one on the cluster and put it here, as plain text"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
}
