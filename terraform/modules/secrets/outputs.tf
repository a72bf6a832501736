output "log_arn" {
  description = "JSON with username and password."
  # Known when there is something in it.
  value = aws_secretsmanager_secret_version.log.arn
}

output "search_arn" {
  description = "The API key to the search servers."
  value       = aws_secretsmanager_secret.search.arn
}
