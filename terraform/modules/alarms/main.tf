# Alarms, to whoever has the post: the same symptoms as ops/prometheus/alerts.yml, as far as CloudWatch knows of them.

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.emails)

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  runbooks = "docs/runbooks"

  alarms = merge(
    {
      index-behind = {
        text      = "Searches lack what was published over a minute ago"
        runbook   = "index-behind.md"
        namespace = var.name, metric = "publog_index_lag_seconds", dimensions = { service = "gateway" }
        statistic = "Maximum", above = 60, periods = 3, missing = "notBreaching"
      }
      lag = {
        text      = "The index is many messages behind the log"
        runbook   = "index-behind.md"
        namespace = var.name, metric = "publog_index_lag_messages", dimensions = { service = "gateway" }
        statistic = "Maximum", above = 10000, periods = 10, missing = "notBreaching"
      }
      dead-letters = {
        text      = "Messages could not be processed"
        runbook   = "dead-letters.md"
        namespace = var.name, metric = "publog_stream_dead_letters_total", dimensions = { service = "stream" }
        statistic = "Sum", above = 0, periods = 1, missing = "notBreaching"
      }
      no-writer = {
        text      = "No gateway is up, nobody can publish"
        runbook   = "no-writer.md"
        namespace = var.name, metric = "publog_held_messages", dimensions = { service = "gateway" }
        # It can't be: the alarm is for there being none.
        statistic = "Minimum", above = 1e12, periods = 3, missing = "breaching"
      }
      publishing-fails = {
        text      = "Requests to the API fail"
        runbook   = "publishing-fails.md"
        namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = { LoadBalancer = var.api_metric_name }
        statistic = "Sum", above = 10, periods = 3, missing = "notBreaching"
      }
    },
    {
      for shard in range(1, var.stream_shards + 1) : "stream-missing-${shard}" => {
        text      = "Part ${shard} of the stream is not up: what searches reflect stands still until it is"
        runbook   = "stream-missing.md"
        namespace = var.name, metric = "publog_stream_applied_offset", dimensions = { program = "stream-${shard}" }
        statistic = "Minimum", above = 1e15, periods = 3, missing = "breaching"
      }
    },
    {
      for broker in ["1", "2", "3"] : "log-short-of-copies-${broker}" => {
        text      = "Partitions led by broker ${broker} have fewer copies in sync than a publish needs"
        runbook   = "publishing-fails.md"
        namespace = "AWS/Kafka", metric = "UnderMinIsrPartitionCount", dimensions = { "Cluster Name" = var.log_cluster_name, "Broker ID" = broker }
        statistic = "Maximum", above = 0, periods = 2, missing = "breaching"
      }
    },
    {
      for broker in ["1", "2", "3"] : "log-disk-${broker}" => {
        text      = "The disk of broker ${broker} fills, although it should have grown"
        runbook   = "disk-full.md"
        namespace = "AWS/Kafka", metric = "KafkaDataLogsDiskUsed", dimensions = { "Cluster Name" = var.log_cluster_name, "Broker ID" = broker }
        statistic = "Maximum", above = 80, periods = 5, missing = "breaching"
      }
    },
    {
      for zone, id in var.search_instances : "search-disk-${zone}" => {
        text      = "The disk of the search node in ${zone} fills: at 95 % it takes nothing any more"
        runbook   = "disk-full.md"
        namespace = var.search_metrics_namespace, metric = "disk_used_percent", dimensions = { InstanceId = id }
        statistic = "Maximum", above = 80, periods = 5, missing = "breaching"
      }
    }
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.text}. See ${local.runbooks}/${each.value.runbook}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}
