mock_provider "aws" {}

variables {
  name = "publog"
}

run "the_log_is_kept_for_ever" {
  assert {
    condition = toset(split("\n", trimspace(aws_msk_configuration.this.server_properties))) == toset([
      "auto.create.topics.enable=false",
      "default.replication.factor=3",
      "log.cleanup.policy=delete",
      "log.message.timestamp.type=CreateTime",
      "log.retention.bytes=-1",
      "log.retention.ms=-1",
      "min.insync.replicas=2",
      "unclean.leader.election.enable=false",
    ])
    error_message = "The properties are ${aws_msk_configuration.this.server_properties}"
  }

  assert {
    condition     = output.arn == aws_msk_configuration.this.arn
    error_message = "A cluster would use another configuration."
  }
}

run "copies_are_as_asked" {
  command = plan

  variables {
    replication_factor  = 5
    min_insync_replicas = 3
    kafka_versions      = ["3.9.x"]
  }

  assert {
    condition = alltrue([
      strcontains(aws_msk_configuration.this.server_properties, "default.replication.factor=5\n"),
      strcontains(aws_msk_configuration.this.server_properties, "min.insync.replicas=3\n"),
    ])
    error_message = "The properties are ${aws_msk_configuration.this.server_properties}"
  }

  assert {
    condition     = aws_msk_configuration.this.kafka_versions == toset(["3.9.x"])
    error_message = "It is meant for one version of Kafka."
  }
}

run "a_single_copy_is_refused" {
  command         = plan
  expect_failures = [var.replication_factor]

  variables {
    replication_factor = 1
  }
}

run "an_acknowledgement_by_one_broker_is_refused" {
  command         = plan
  expect_failures = [var.min_insync_replicas]

  variables {
    min_insync_replicas = 1
  }
}

run "a_log_that_nobody_could_write_is_refused" {
  command         = plan
  expect_failures = [var.min_insync_replicas]

  variables {
    replication_factor  = 3
    min_insync_replicas = 4
  }
}

run "half_a_copy_is_refused" {
  command         = plan
  expect_failures = [var.replication_factor]

  variables {
    replication_factor = 2.5
  }
}

run "a_name_that_msk_would_refuse_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "the log"
  }
}

run "an_empty_list_of_versions_is_refused" {
  command         = plan
  expect_failures = [var.kafka_versions]

  variables {
    kafka_versions = []
  }
}
