# publog for a newsroom, on AWS: the log on MSK, the index on Elasticsearch, what runs publog on Fargate. `make terraform`
# checks it; README.md says what is needed first.

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = var.name }
  }
}

locals {
  owns_search = var.search_endpoint == null
}

module "network" {
  source = "../modules/network"

  name  = var.name
  cidr  = var.vpc_cidr
  zones = var.zones
}

module "kms" {
  source = "../modules/kms"

  name = var.name
}

module "secrets" {
  source = "../modules/secrets"

  name        = var.name
  kms_key_arn = module.kms.arn
}

module "storage" {
  source = "../modules/storage"

  name        = var.name
  kms_key_arn = module.kms.arn
}

# Of all tasks: what lets them in names this.
resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "What runs publog"
  vpc_id      = module.network.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "network" {
  security_group_id = aws_security_group.tasks.id
  description       = "Brokers, search servers, the home, AWS: all in this network"
  cidr_ipv4         = module.network.cidr
  ip_protocol       = "tcp"
  from_port         = 1
  to_port           = 65535
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  security_group_id = aws_security_group.tasks.id
  description       = "S3, where images lie too"
  prefix_list_id    = module.network.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

module "log" {
  source = "../modules/log"

  name                     = var.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = [for zone in var.zones : module.network.subnets[zone].id]
  client_security_group_id = aws_security_group.tasks.id
  kms_key_arn              = module.kms.arn
  secret_arn               = module.secrets.log_arn
  instance_type            = var.log_instance_type
  volume_gib               = var.log_volume_gib
  log_retention_days       = var.log_retention_days
}

module "search" {
  source = "../modules/search"
  count  = local.owns_search ? 1 : 0

  name                        = var.name
  ami                         = var.search_ami
  instance_type               = var.search_instance_type
  volume_gib                  = var.search_volume_gib
  vpc_id                      = module.network.vpc_id
  vpc_cidr                    = module.network.cidr
  s3_prefix_list_id           = module.network.s3_prefix_list_id
  subnets                     = module.network.subnets
  client_security_group_id    = aws_security_group.tasks.id
  kms_key_arn                 = module.kms.arn
  node_certificate_secret_arn = var.search_node_certificate_secret_arn
  certificate_arn             = var.certificate_arn
  domain_name                 = "search.${var.domain}"
  dns_zone_id                 = var.dns_zone_id
}

module "services" {
  source = "../modules/services"

  name                     = var.name
  image                    = var.image
  collector_image          = var.collector_image
  cpu_architecture         = var.cpu_architecture
  bootstrap_brokers        = module.log.bootstrap_brokers
  topic                    = var.topic
  search_endpoint          = local.owns_search ? module.search[0].endpoint : var.search_endpoint
  log_secret_arn           = module.secrets.log_arn
  search_secret_arn        = module.secrets.search_arn
  kms_key_arn              = module.kms.arn
  bucket_arn               = module.storage.arn
  vpc_id                   = module.network.vpc_id
  subnets                  = module.network.subnets
  client_security_group_id = aws_security_group.tasks.id
  certificate_arn          = var.certificate_arn
  allowed_cidrs            = var.allowed_cidrs
  stream_shards            = var.stream_shards
  traces                   = var.traces
  log_retention_days       = var.log_retention_days
}

resource "aws_route53_record" "api" {
  zone_id = var.dns_zone_id
  name    = "api.${var.domain}"
  type    = "A"

  alias {
    name                   = module.services.api_dns_name
    zone_id                = module.services.api_zone_id
    evaluate_target_health = true
  }
}

module "alarms" {
  source = "../modules/alarms"

  name                     = var.name
  kms_key_arn              = module.kms.arn
  emails                   = var.alarm_emails
  stream_shards            = var.stream_shards
  log_cluster_name         = module.log.cluster_name
  api_metric_name          = module.services.api_metric_name
  search_instances         = local.owns_search ? module.search[0].instance_ids : {}
  search_metrics_namespace = local.owns_search ? module.search[0].metrics_namespace : ""
}
