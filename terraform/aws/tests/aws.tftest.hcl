# Planned, not applied: the log refuses to be torn down.
mock_provider "aws" {
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:111122223333:key/1" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:publog" }
  }
  mock_resource "aws_secretsmanager_secret_version" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:AmazonMSK_publog" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::publog-1" }
  }
  mock_resource "aws_msk_configuration" {
    defaults = { arn = "arn:aws:kafka:eu-west-1:111122223333:configuration/publog/1", latest_revision = 1 }
  }
  mock_resource "aws_msk_cluster" {
    defaults = { arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/publog/1", bootstrap_brokers_sasl_scram = "b-1:9096,b-2:9096,b-3:9096" }
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
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:111122223333:publog-alarms" }
  }
}

variables {
  region          = "eu-west-1"
  zones           = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  allowed_cidrs   = ["10.0.0.0/8"]
  domain          = "publog.newsroom.example"
  dns_zone_id     = "Z1"
  certificate_arn = "arn:aws:acm:eu-west-1:111122223333:certificate/1"
  alarm_emails    = ["desk@newsroom.example"]
  image           = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/publog:0.1.0"
  collector_image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/collector:v0.43.3"
}

run "with_search_nodes_of_its_own" {
  command = plan

  variables {
    search_ami                         = "ami-0123456789abcdef0"
    search_node_certificate_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nodes"
    stream_shards                      = 4
  }

  assert {
    condition     = length(module.search) == 1 && module.search[0].endpoint == "https://search.publog.newsroom.example:443"
    error_message = "There are no search nodes."
  }

  assert {
    condition     = output.api == "https://api.publog.newsroom.example" && startswith(output.log, "kafka://b-1:9096,b-2:9096,b-3:9096/publog?")
    error_message = "${output.api}, ${output.log}"
  }

  assert {
    condition     = toset(output.services) == toset(["gateway", "search", "stream-1", "stream-2", "stream-3", "stream-4"])
    error_message = "The services are ${join(", ", output.services)}."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.network.cidr_ipv4 == "10.20.0.0/16"
    error_message = "Tasks reach out of the network."
  }
}

run "with_search_servers_that_are_there" {
  command = plan

  variables {
    search_endpoint = "https://search.newsroom.example:9243"
  }

  assert {
    condition     = length(module.search) == 0
    error_message = "Nobody asked for search nodes."
  }
}

run "without_any_search_server_is_refused" {
  command         = plan
  expect_failures = [var.search_ami]
}

run "with_both_is_refused" {
  command         = plan
  expect_failures = [var.search_ami]

  variables {
    search_endpoint                    = "https://search.newsroom.example:9243"
    search_ami                         = "ami-0123456789abcdef0"
    search_node_certificate_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nodes"
  }
}

run "zones_of_another_region_are_refused" {
  command         = plan
  expect_failures = [var.zones]

  variables {
    search_endpoint = "https://search.newsroom.example:9243"
    zones           = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
}
