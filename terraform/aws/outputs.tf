output "api" {
  description = "Where programs publish and search."
  value       = "https://${aws_route53_record.api.name}"
}

output "log" {
  description = "The log's URL inside the network."
  value       = module.services.log_url
}

output "bucket" {
  description = "For archives to import."
  value       = module.storage.bucket
}

output "search_secret_arn" {
  description = "Put the API key to the search servers here, before the services are started."
  value       = module.secrets.search_arn
}

output "services" {
  description = "Names of the ECS services."
  value       = module.services.services
}

output "run_task" {
  description = "Runs one command of publog as a task: put it in the place of COMMAND, as \"log\",\"create\",\"URL\" or \"backfill\"."
  value = join(" ", [
    "aws ecs run-task --launch-type FARGATE --cluster ${module.services.cluster_name}",
    "--task-definition ${module.services.task_definitions["backfill"]}",
    "--network-configuration 'awsvpcConfiguration={subnets=[${join(",", [for subnet in module.network.subnets : subnet.id])}],securityGroups=[${aws_security_group.tasks.id}],assignPublicIp=DISABLED}'",
    "--overrides '{\"containerOverrides\":[{\"name\":\"publog\",\"command\":[COMMAND]}]}'",
  ])
}

output "runbooks" {
  description = "That alarms name."
  value       = module.alarms.runbooks
}
