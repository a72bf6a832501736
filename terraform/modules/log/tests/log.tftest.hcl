mock_provider "aws" {
  mock_resource "aws_msk_cluster" {
    defaults = { arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/publog/1", bootstrap_brokers_sasl_scram = "b-1:9096,b-2:9096,b-3:9096" }
  }
  mock_resource "aws_msk_configuration" {
    defaults = { arn = "arn:aws:kafka:eu-west-1:111122223333:configuration/publog/1", latest_revision = 1 }
  }
}

variables {
  name                     = "publog"
  vpc_id                   = "vpc-1"
  subnet_ids               = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_group_id = "sg-clients"
  kms_key_arn              = "arn:aws:kms:eu-west-1:111122223333:key/1"
  secret_arn               = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:AmazonMSK_publog"
}

run "three_brokers_keep_every_message_thrice_and_for_ever" {
  # Applied, it could not be torn down.
  command = plan

  assert {
    condition     = aws_msk_cluster.this.number_of_broker_nodes == 3 && length(aws_msk_cluster.this.broker_node_group_info[0].client_subnets) == 3
    error_message = "A zone has no broker."
  }

  assert {
    condition = alltrue([for name, value in {
      "default.replication.factor"     = 3
      "min.insync.replicas"            = 2
      "log.retention.ms"               = -1
      "log.retention.bytes"            = -1
      "unclean.leader.election.enable" = false
      "auto.create.topics.enable"      = false
    } : tostring(output.server_properties[name]) == tostring(value)])
    error_message = "The brokers would lose messages."
  }
}

run "nobody_gets_in_without_tls_and_a_password" {
  command = plan

  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].client_broker == "TLS" && aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].in_cluster
    error_message = "Something goes over the wire in clear."
  }

  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_at_rest_kms_key_arn == var.kms_key_arn
    error_message = "The volumes are not under our key."
  }

  assert {
    condition     = !aws_msk_cluster.this.client_authentication[0].unauthenticated && aws_msk_cluster.this.client_authentication[0].sasl[0].scram
    error_message = "Anybody may write to the log."
  }

  assert {
    condition     = aws_msk_cluster.this.broker_node_group_info[0].connectivity_info[0].public_access[0].type == "DISABLED"
    error_message = "The brokers have public addresses."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == "sg-clients" && aws_vpc_security_group_ingress_rule.clients.cidr_ipv4 == null
    error_message = "Others than publog reach the brokers."
  }
}

run "volumes_that_could_not_grow_are_refused" {
  command         = plan
  expect_failures = [var.volume_gib_max]

  variables {
    volume_gib     = 300
    volume_gib_max = 300
  }
}

run "two_zones_are_refused" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = ["subnet-1", "subnet-2"]
  }
}

run "brokers_too_small_are_refused" {
  command         = plan
  expect_failures = [var.instance_type]

  variables {
    instance_type = "kafka.t3.small"
  }
}
