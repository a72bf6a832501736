output "topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.this.arn
}

output "names" {
  description = "Of the alarms."
  value       = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name]
}

output "runbooks" {
  description = "That the alarms name."
  value       = toset([for alarm in local.alarms : "${local.runbooks}/${alarm.runbook}"])
}
