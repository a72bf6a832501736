output "bootstrap_brokers" {
  description = "HOST:PORT,... for who has the password."
  value       = aws_msk_cluster.this.bootstrap_brokers_sasl_scram
}

output "cluster_name" {
  description = "As metrics name it."
  value       = aws_msk_cluster.this.cluster_name
}

output "arn" {
  description = "ARN of the cluster, when it lets the user in."
  value       = aws_msk_scram_secret_association.this.cluster_arn
}

output "server_properties" {
  description = "What the brokers are set to."
  value       = module.configuration.server_properties
}
