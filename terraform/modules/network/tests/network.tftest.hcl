mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
}

variables {
  name  = "publog"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
}

run "three_private_subnets_and_no_way_in" {
  assert {
    condition     = toset([for subnet in aws_subnet.private : subnet.availability_zone]) == toset(var.zones)
    error_message = "A zone has no subnet."
  }

  assert {
    condition     = length(toset([for subnet in aws_subnet.private : subnet.cidr_block])) == 3
    error_message = "The subnets share addresses."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : !subnet.map_public_ip_on_launch])
    error_message = "Something would get a public address."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443
    error_message = "The endpoints are open to others than this network."
  }

  assert {
    condition     = alltrue([for name in ["ecr.api", "ecr.dkr", "secretsmanager", "logs", "kms"] : contains(keys(aws_vpc_endpoint.interface), name)])
    error_message = "Tasks could not start: there is no internet to reach AWS by."
  }
}

run "two_zones_are_refused" {
  command         = plan
  expect_failures = [var.zones]

  variables {
    zones = ["eu-west-1a", "eu-west-1b"]
  }
}

run "the_same_zone_thrice_is_refused" {
  command         = plan
  expect_failures = [var.zones]

  variables {
    zones = ["eu-west-1a", "eu-west-1a", "eu-west-1a"]
  }
}

run "what_is_no_range_is_refused" {
  command         = plan
  expect_failures = [var.cidr]

  variables {
    cidr = "10.20.0.0/28"
  }
}
