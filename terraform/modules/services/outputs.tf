output "cluster_name" {
  description = "Of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "services" {
  description = "Names of the services."
  value       = concat([for service in aws_ecs_service.server : service.name], [for service in aws_ecs_service.stream : service.name])
}

output "api_dns_name" {
  description = "Where the API's name is to point."
  value       = aws_lb.this.dns_name
}

output "api_zone_id" {
  description = "Hosted zone of that, for an alias record."
  value       = aws_lb.this.zone_id
}

output "api_metric_name" {
  description = "The balancer, as metrics name it."
  value       = aws_lb.this.arn_suffix
}

output "task_definitions" {
  description = "Program to task definition."
  value       = { for name, definition in aws_ecs_task_definition.program : name => definition.arn }
}

output "log_url" {
  description = "The log, as publog names it."
  value       = local.log_url
}
