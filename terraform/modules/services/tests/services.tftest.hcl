mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/publog/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/publog/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/publog/1/1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/publog" }
  }
  mock_resource "aws_efs_file_system" {
    defaults = { arn = "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-1" }
  }
  mock_resource "aws_efs_access_point" {
    defaults = { arn = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-1" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/publog:1" }
  }
}

variables {
  name              = "publog"
  image             = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/publog:0.1.0"
  collector_image   = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/collector:v0.43.3"
  bootstrap_brokers = "b-1:9096,b-2:9096,b-3:9096"
  search_endpoint   = "https://search.publog.internal:443"
  log_secret_arn    = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:AmazonMSK_publog"
  search_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:search"
  kms_key_arn       = "arn:aws:kms:eu-west-1:111122223333:key/1"
  bucket_arn        = "arn:aws:s3:::publog"
  vpc_id            = "vpc-1"
  subnets = {
    eu-west-1a = { id = "subnet-1", cidr = "10.20.0.0/20" }
    eu-west-1b = { id = "subnet-2", cidr = "10.20.16.0/20" }
    eu-west-1c = { id = "subnet-3", cidr = "10.20.32.0/20" }
  }
  client_security_group_id = "sg-clients"
  certificate_arn          = "arn:aws:acm:eu-west-1:111122223333:certificate/1"
  allowed_cidrs            = ["10.0.0.0/8"]
}

run "each_part_of_the_stream_is_a_service_of_its_own" {
  variables {
    stream_shards = 3
  }

  assert {
    condition     = toset(output.services) == toset(["gateway", "search", "stream-1", "stream-2", "stream-3"])
    error_message = "The services are ${join(", ", output.services)}."
  }

  assert {
    condition = alltrue([
      for shard in range(1, 4) :
      join(" ", slice(jsondecode(aws_ecs_task_definition.program["stream-${shard}"].container_definitions)[0].command, 0, 4)) == "run --stream --shards ${shard}/3"
    ])
    error_message = "A part of the stream would be missing."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.stream : service.desired_count == 1 && service.deployment_maximum_percent == 100])
    error_message = "Two processes would have the same part."
  }
}

run "a_stream_in_one_part_names_none" {
  variables {
    stream_shards = 1
  }

  assert {
    condition     = !contains(jsondecode(aws_ecs_task_definition.program["stream-1"].container_definitions)[0].command, "--shards")
    error_message = "The stream is in parts."
  }
}

run "there_is_one_gateway_at_a_time_and_readers_go_elsewhere" {
  assert {
    condition     = aws_ecs_service.server["gateway"].desired_count == 1 && aws_ecs_service.server["gateway"].deployment_maximum_percent == 100
    error_message = "Two gateways would shut each other out."
  }

  assert {
    condition     = aws_ecs_service.server["search"].desired_count == 2
    error_message = "A search server that is lost would be the only one."
  }

  assert {
    condition     = toset(one(one(aws_lb_listener_rule.reading.condition).http_request_method).values) == toset(["GET", "HEAD"])
    error_message = "Something that publishes goes to a server that only searches."
  }
}

run "secrets_are_in_no_definition" {
  assert {
    condition = alltrue(flatten([
      for definition in aws_ecs_task_definition.program : [
        for setting in jsondecode(definition.container_definitions)[0].environment : !can(regex("(?i)password|api_key", setting.name)) && !can(regex("(?i)password", setting.value))
      ]
    ]))
    error_message = "A secret stands in an environment."
  }

  assert {
    condition = alltrue([
      for definition in aws_ecs_task_definition.program :
      toset([for secret in jsondecode(definition.container_definitions)[0].secrets : secret.name]) == toset(["PUBLOG_KAFKA_USERNAME", "PUBLOG_KAFKA_PASSWORD", "PUBLOG_ELASTICSEARCH_API_KEY"])
    ])
    error_message = "A program has not what it needs to get in."
  }

  assert {
    condition = alltrue([
      for definition in aws_ecs_task_definition.program :
      contains([for setting in jsondecode(definition.container_definitions)[0].environment : setting.value], "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512")
    ])
    error_message = "A program speaks with the brokers in clear."
  }
}

run "all_that_is_kept_is_encrypted" {
  assert {
    condition     = aws_efs_file_system.home.encrypted && aws_efs_file_system.home.kms_key_id == var.kms_key_arn
    error_message = "The home is in clear."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.program : group.kms_key_id == var.kms_key_arn])
    error_message = "A log is in clear."
  }

  assert {
    condition = alltrue(flatten([
      for name, definition in aws_ecs_task_definition.program : [
        for volume in definition.volume : alltrue([for efs in volume.efs_volume_configuration : efs.transit_encryption == "ENABLED"])
      ]
    ]))
    error_message = "The home goes over the wire in clear."
  }
}

run "only_the_networks_that_are_named_get_in" {
  variables {
    allowed_cidrs = ["10.0.0.0/8", "192.168.4.0/24"]
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.balancer : rule.cidr_ipv4]) == toset(var.allowed_cidrs)
    error_message = "Others get in."
  }

  assert {
    condition     = aws_lb.this.internal && aws_lb_listener.https.protocol == "HTTPS" && aws_vpc_security_group_ingress_rule.server.cidr_ipv4 == null
    error_message = "The API is on the internet, or in clear."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.server : !service.network_configuration[0].assign_public_ip]) && alltrue([for service in aws_ecs_service.stream : !service.network_configuration[0].assign_public_ip])
    error_message = "A task has a public address."
  }
}

run "programs_tell_their_metrics_and_events" {
  assert {
    condition = alltrue([
      for definition in aws_ecs_task_definition.program :
      strcontains(jsondecode(definition.container_definitions)[1].environment[0].value, "127.0.0.1:9464")
      && contains([for setting in jsondecode(definition.container_definitions)[0].environment : "${setting.name}=${setting.value}"], "PUBLOG_METRICS=127.0.0.1:9464")
      && contains([for setting in jsondecode(definition.container_definitions)[0].environment : "${setting.name}=${setting.value}"], "PUBLOG_LOGS=json")
    ])
    error_message = "Nobody would hear of a program."
  }
}

run "the_world_is_refused" {
  command         = plan
  expect_failures = [var.allowed_cidrs]

  variables {
    allowed_cidrs = ["0.0.0.0/0"]
  }
}

run "half_the_world_is_refused" {
  command         = plan
  expect_failures = [var.allowed_cidrs]

  variables {
    allowed_cidrs = ["10.0.0.0/8", "128.0.0.0/1"]
  }
}

run "an_image_that_changes_is_refused" {
  command         = plan
  expect_failures = [var.image]

  variables {
    image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/publog:latest"
  }
}

run "a_search_server_in_clear_is_refused" {
  command         = plan
  expect_failures = [var.search_endpoint]

  variables {
    search_endpoint = "http://search.publog.internal:9200"
  }
}

run "half_a_part_is_refused" {
  command         = plan
  expect_failures = [var.stream_shards]

  variables {
    stream_shards = 1.5
  }
}

run "a_single_search_server_is_refused" {
  command         = plan
  expect_failures = [var.search]

  variables {
    search = { count = 1, cpu = 2048, memory = 4096 }
  }
}
