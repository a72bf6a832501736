mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:111122223333:publog-alarms" }
  }
}

variables {
  name                     = "publog"
  kms_key_arn              = "arn:aws:kms:eu-west-1:111122223333:key/1"
  emails                   = ["desk@newsroom.example"]
  stream_shards            = 2
  log_cluster_name         = "publog"
  api_metric_name          = "app/publog-api/1"
  search_instances         = { eu-west-1a = "i-1" }
  search_metrics_namespace = "publog/search"
}

run "lag_dead_letters_and_disks_are_watched" {
  assert {
    condition = toset([for name in output.names : trimprefix(name, "publog-")]) == toset([
      "index-behind", "lag", "dead-letters", "no-writer", "publishing-fails", "log-short-of-copies-1", "log-short-of-copies-2", "log-short-of-copies-3",
      "stream-missing-1", "stream-missing-2", "log-disk-1", "log-disk-2", "log-disk-3", "search-disk-eu-west-1a",
    ])
    error_message = "The alarms are ${join(", ", output.names)}."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.this.arn])])
    error_message = "An alarm goes nowhere."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["stream-missing-1"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["stream-missing-1"].dimensions["program"] == "stream-1"
    error_message = "A part of the stream that is not up raises no alarm."
  }
}

run "an_alarm_that_nobody_hears_is_refused" {
  command         = plan
  expect_failures = [var.emails]

  variables {
    emails = []
  }
}
