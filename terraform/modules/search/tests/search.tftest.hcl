mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/publog/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/publog/1" }
  }
}

variables {
  name     = "publog"
  ami      = "ami-0123456789abcdef0"
  vpc_id   = "vpc-1"
  vpc_cidr = "10.20.0.0/16"
  subnets = {
    eu-west-1a = { id = "subnet-1", cidr = "10.20.0.0/20" }
    eu-west-1b = { id = "subnet-2", cidr = "10.20.16.0/20" }
    eu-west-1c = { id = "subnet-3", cidr = "10.20.32.0/20" }
  }
  s3_prefix_list_id           = "pl-1"
  client_security_group_id    = "sg-clients"
  kms_key_arn                 = "arn:aws:kms:eu-west-1:111122223333:key/1"
  node_certificate_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nodes"
  certificate_arn             = "arn:aws:acm:eu-west-1:111122223333:certificate/1"
  domain_name                 = "search.publog.internal"
  dns_zone_id                 = "Z1"
}

run "a_node_in_each_zone_with_an_encrypted_volume" {
  assert {
    condition     = toset(keys(aws_instance.node)) == toset(keys(var.subnets)) && alltrue([for zone, volume in aws_ebs_volume.data : volume.availability_zone == zone])
    error_message = "A zone has no node, or its volume is elsewhere."
  }

  assert {
    condition     = alltrue([for volume in aws_ebs_volume.data : volume.encrypted && volume.kms_key_id == var.kms_key_arn])
    error_message = "A volume is not under our key."
  }

  assert {
    condition     = alltrue([for node in aws_instance.node : node.root_block_device[0].encrypted && node.metadata_options[0].http_tokens == "required"])
    error_message = "A machine's own disk is in clear, or its role could be stolen by a request."
  }

  assert {
    condition     = alltrue([for node in aws_instance.node : alltrue([for address in ["10.20.0.10", "10.20.16.10", "10.20.32.10"] : strcontains(node.user_data, address)])])
    error_message = "A node would not find the others."
  }

  assert {
    condition     = alltrue([for node in aws_instance.node : strcontains(node.user_data, "xpack.security.http.ssl.enabled: true")])
    error_message = "A node answers in clear."
  }
}

run "only_publog_and_the_nodes_themselves_get_in" {
  assert {
    condition     = aws_lb.this.internal && alltrue([for node in aws_instance.node : !node.associate_public_ip_address])
    error_message = "Something has a public address."
  }

  assert {
    condition = alltrue([
      for rule in [aws_vpc_security_group_ingress_rule.clients, aws_vpc_security_group_ingress_rule.balancer, aws_vpc_security_group_ingress_rule.nodes] :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "An address range is let in."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == "sg-clients"
    error_message = "Others than publog get in."
  }

  assert {
    condition     = aws_lb_listener.this.protocol == "TLS" && aws_lb_target_group.nodes.protocol == "TLS"
    error_message = "Something goes over the wire in clear."
  }

  assert {
    condition     = output.endpoint == "https://search.publog.internal:443"
    error_message = "The endpoint is ${output.endpoint}."
  }
}

run "two_zones_are_refused" {
  command         = plan
  expect_failures = [var.subnets]

  variables {
    subnets = { eu-west-1a = { id = "subnet-1", cidr = "10.20.0.0/20" } }
  }
}

run "what_is_no_image_is_refused" {
  command         = plan
  expect_failures = [var.ami]

  variables {
    ami = "elasticsearch"
  }
}
