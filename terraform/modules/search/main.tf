# Elasticsearch on machines of one's own: a node in each of three zones, its data on a volume that outlives it, reached over
# TLS through one name. All of it can be made again from the log.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  zones = sort(keys(var.subnets))
  # Fixed, so that nodes find each other: AWS keeps the first four addresses of a subnet.
  addresses = { for zone in local.zones : zone => cidrhost(var.subnets[zone].cidr, 10) }
}

resource "aws_security_group" "nodes" {
  name        = "${var.name}-search-nodes"
  description = "Search nodes: from their balancer, and among themselves"
  vpc_id      = var.vpc_id
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-search"
  description = "What runs publog reaches the search nodes here"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "Queries and bulk requests"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "To the nodes"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "tcp"
  from_port                    = 9200
  to_port                      = 9200
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "From the balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 9200
  to_port                      = 9200
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "Among themselves"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "tcp"
  from_port                    = 9300
  to_port                      = 9300
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  for_each = { nodes = { port = 9300, cidr = var.vpc_cidr, list = null }, aws = { port = 443, cidr = var.vpc_cidr, list = null }, s3 = { port = 443, cidr = null, list = var.s3_prefix_list_id } }

  security_group_id = aws_security_group.nodes.id
  description       = "To ${each.key}"
  cidr_ipv4         = each.value.cidr
  prefix_list_id    = each.value.list
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_iam_role" "node" {
  name = "${var.name}-search-node"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}

resource "aws_iam_role_policy" "node" {
  name = "certificates"
  role = aws_iam_role.node.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.node_certificate_secret_arn },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = var.kms_key_arn },
    ]
  })
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.name}-search-node"
  role = aws_iam_role.node.name
}

resource "aws_ebs_volume" "data" {
  for_each = var.subnets

  availability_zone = each.key
  size              = var.volume_gib
  type              = "gp3"
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  tags              = { Name = "${var.name}-search-${each.key}" }
}

resource "aws_volume_attachment" "data" {
  for_each = var.subnets

  device_name = "/dev/sdf"
  instance_id = aws_instance.node[each.key].id
  volume_id   = aws_ebs_volume.data[each.key].id
}

resource "aws_instance" "node" {
  for_each = var.subnets

  ami                         = var.ami
  instance_type               = var.instance_type
  subnet_id                   = each.value.id
  private_ip                  = local.addresses[each.key]
  vpc_security_group_ids      = [aws_security_group.nodes.id]
  iam_instance_profile        = aws_iam_instance_profile.node.name
  associate_public_ip_address = false
  ebs_optimized               = true
  user_data_replace_on_change = true

  user_data = templatefile("${path.module}/node.sh.tftpl", {
    name        = var.name
    node        = each.key
    region      = data.aws_region.current.name
    addresses   = join("\n", [for zone in local.zones : "  - ${local.addresses[zone]}"])
    masters     = join("\n", [for zone in local.zones : "  - ${zone}"])
    certificate = var.node_certificate_secret_arn
  })

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  root_block_device {
    encrypted  = true
    kms_key_id = var.kms_key_arn
  }

  tags = { Name = "${var.name}-search-${each.key}" }
}

resource "aws_lb" "this" {
  name               = "${var.name}-search"
  internal           = true
  load_balancer_type = "network"
  subnets            = [for subnet in var.subnets : subnet.id]
  security_groups    = [aws_security_group.balancer.id]

  enable_cross_zone_load_balancing = true
}

resource "aws_lb_target_group" "nodes" {
  name     = "${var.name}-search"
  port     = 9200
  protocol = "TLS"
  vpc_id   = var.vpc_id

  health_check {
    protocol = "TCP"
  }
}

resource "aws_lb_target_group_attachment" "nodes" {
  for_each = aws_instance.node

  target_group_arn = aws_lb_target_group.nodes.arn
  target_id        = each.value.id
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "TLS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.nodes.arn
  }
}

resource "aws_route53_record" "this" {
  zone_id = var.dns_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
