output "endpoint" {
  description = "URL of the cluster."
  # Once it can be reached.
  value = "https://${aws_route53_record.this.name}:${aws_lb_listener.this.port}"
}

output "instance_ids" {
  description = "Zone to machine."
  value       = { for zone, node in aws_instance.node : zone => node.id }
}

output "metrics_namespace" {
  description = "Where the machines' metrics are."
  value       = "${var.name}/search"
}
