output "arn" {
  description = "ARN of the configuration, for a cluster's configuration_info."
  value       = aws_msk_configuration.this.arn
}

output "latest_revision" {
  description = "Its newest revision, for a cluster's configuration_info."
  value       = aws_msk_configuration.this.latest_revision
}

output "server_properties" {
  description = "What it sets, by property: what a topic that is made by hand has to have too."
  value       = local.server_properties
}
