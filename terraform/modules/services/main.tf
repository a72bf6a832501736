# What runs publog, on Fargate: one gateway that publishes, servers that search, the stream in N parts, and backfills when
# they are asked for. Each task has a collector beside it that takes its metrics and traces to CloudWatch.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # The image's own.
  home = "/var/lib/publog"
  user = 10001

  # The index beside the log is made again from it, and is busy: never on a network file system.
  log_url = "kafka://${var.bootstrap_brokers}/${var.topic}?index=/tmp/publog"

  environment = {
    PUBLOG_HOME         = local.home
    PUBLOG_LOG          = local.log_url
    PUBLOG_INDEX        = "${var.search_endpoint}/${var.index_name}"
    PUBLOG_LOGS         = "json"
    PUBLOG_METRICS      = "127.0.0.1:9464"
    PUBLOG_KAFKA_CLIENT = "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512"

    OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318"
    OTEL_TRACES_EXPORTER        = var.traces ? "otlp" : "none"
  }

  secrets = {
    PUBLOG_KAFKA_USERNAME        = "${var.log_secret_arn}:username::"
    PUBLOG_KAFKA_PASSWORD        = "${var.log_secret_arn}:password::"
    PUBLOG_ELASTICSEARCH_API_KEY = var.search_secret_arn
  }

  serve = ["serve", "--host", "0.0.0.0", "--port", "8420", "--no-stream"]

  # The home of gateway and search servers is shared and outlives them: keys, and what is held. That of a stream
  # and a backfill is their own, and made again from the log.
  programs = merge(
    {
      gateway  = { command = local.serve, cpu = var.gateway.cpu, memory = var.gateway.memory, storage_gib = 50, shared = true }
      search   = { command = local.serve, cpu = var.search.cpu, memory = var.search.memory, storage_gib = 50, shared = true }
      backfill = { command = ["backfill"], cpu = var.backfill.cpu, memory = var.backfill.memory, storage_gib = 200, shared = false }
    },
    {
      for shard in range(1, var.stream_shards + 1) : "stream-${shard}" => {
        command     = concat(["run", "--stream"], var.stream_shards == 1 ? [] : ["--shards", "${shard}/${var.stream_shards}"])
        cpu         = var.stream.cpu
        memory      = var.stream.memory
        storage_gib = 100
        shared      = false
      }
    }
  )

  streams = { for name, program in local.programs : name => program if startswith(name, "stream-") }
}

resource "aws_cloudwatch_log_group" "program" {
  for_each = local.programs

  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "metrics" {
  name              = "/${var.name}/metrics"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# ---------------------------------------------------------------------------------------------------------------- roles

locals {
  assume_by_tasks = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role" "start" {
  name               = "${var.name}-start"
  description        = "Starts tasks: image, secrets, logs"
  assume_role_policy = local.assume_by_tasks
}

resource "aws_iam_role_policy_attachment" "start" {
  role       = aws_iam_role.start.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "start" {
  name = "secrets"
  role = aws_iam_role.start.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = [var.log_secret_arn, var.search_secret_arn] },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = var.kms_key_arn },
    ]
  })
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "What runs in the tasks"
  assume_role_policy = local.assume_by_tasks
}

resource "aws_iam_role_policy" "task" {
  name = "task"
  role = aws_iam_role.task.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
        Resource  = aws_efs_file_system.home.arn
        Condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = aws_efs_access_point.home.arn } }
      },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "${var.bucket_arn}/*" },
      { Effect = "Allow", Action = "s3:ListBucket", Resource = var.bucket_arn },
      { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.kms_key_arn },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.metrics.arn}:*"
      },
      # Neither of these can be said of a resource.
      { Effect = "Allow", Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource = "*" },
      {
        Effect   = "Allow"
        Action   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
        Resource = "*"
      },
    ]
  })
}

# ----------------------------------------------------------------------------------------------------------- the home

resource "aws_efs_file_system" "home" {
  encrypted  = true
  kms_key_id = var.kms_key_arn
  tags       = { Name = "${var.name}-home" }
}

resource "aws_efs_backup_policy" "home" {
  file_system_id = aws_efs_file_system.home.id

  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_access_point" "home" {
  file_system_id = aws_efs_file_system.home.id

  posix_user {
    uid = local.user
    gid = local.user
  }

  root_directory {
    path = "/publog"

    creation_info {
      owner_uid   = local.user
      owner_gid   = local.user
      permissions = "0700"
    }
  }
}

resource "aws_security_group" "home" {
  name        = "${var.name}-home"
  description = "The home, from tasks"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "home" {
  security_group_id            = aws_security_group.home.id
  description                  = "NFS over TLS from tasks"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
}

resource "aws_efs_mount_target" "home" {
  for_each = var.subnets

  file_system_id  = aws_efs_file_system.home.id
  subnet_id       = each.value.id
  security_groups = [aws_security_group.home.id]
}

# ------------------------------------------------------------------------------------------------------------ the tasks

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "program" {
  for_each = local.programs

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.start.arn
  task_role_arn            = aws_iam_role.task.arn

  ephemeral_storage {
    size_in_gib = each.value.storage_gib
  }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  dynamic "volume" {
    for_each = each.value.shared ? ["home"] : []

    content {
      name = volume.value

      efs_volume_configuration {
        file_system_id     = aws_efs_file_system.home.id
        transit_encryption = "ENABLED"

        authorization_config {
          access_point_id = aws_efs_access_point.home.id
          iam             = "ENABLED"
        }
      }
    }
  }

  container_definitions = jsonencode([
    {
      name            = "publog"
      image           = var.image
      essential       = true
      entryPoint      = ["publog"]
      command         = each.value.command
      stopTimeout     = 120
      environment     = [for name, value in local.environment : { name = name, value = value }]
      secrets         = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
      portMappings    = each.value.shared ? [{ containerPort = 8420, protocol = "tcp" }] : []
      mountPoints     = each.value.shared ? [{ sourceVolume = "home", containerPath = local.home }] : []
      linuxParameters = { initProcessEnabled = true }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.program[each.key].name
          awslogs-region        = data.aws_region.current.name
          awslogs-stream-prefix = "publog"
        }
      }
    },
    {
      name      = "collector"
      image     = var.collector_image
      essential = false
      environment = [{ name = "AOT_CONFIG_CONTENT", value = yamlencode({
        receivers = {
          prometheus = { config = { scrape_configs = [{
            job_name        = "publog"
            scrape_interval = "30s"
            static_configs = [{
              targets = ["127.0.0.1:9464"]
              labels  = { service = startswith(each.key, "stream-") ? "stream" : each.key, program = each.key }
            }]
          }] } }
          otlp = { protocols = { http = { endpoint = "127.0.0.1:4318" } } }
        }
        processors = { batch = {} }
        exporters = {
          awsemf = {
            namespace               = var.name
            log_group_name          = aws_cloudwatch_log_group.metrics.name
            log_stream_name         = each.key
            dimension_rollup_option = "NoDimensionRollup"
            # What alarms watch; the others are in the log group, for whoever asks it.
            metric_declarations = [{
              dimensions            = [["service"], ["program"]]
              metric_name_selectors = ["^publog_index_lag_(seconds|messages)", "^publog_stream_(applied_offset|dead_letters_total)", "^publog_disk_(free|size)_bytes", "^publog_held_messages"]
            }]
          }
          awsxray = {}
        }
        service = { pipelines = {
          metrics = { receivers = ["prometheus"], exporters = ["awsemf"] }
          traces  = { receivers = ["otlp"], processors = ["batch"], exporters = ["awsxray"] }
        } }
      }) }]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.program[each.key].name
          awslogs-region        = data.aws_region.current.name
          awslogs-stream-prefix = "collector"
        }
      }
    },
  ])
}

resource "aws_ecs_service" "server" {
  for_each = { gateway = 1, search = var.search.count }

  name                   = each.key
  cluster                = aws_ecs_cluster.this.id
  task_definition        = aws_ecs_task_definition.program[each.key].arn
  launch_type            = "FARGATE"
  desired_count          = each.value
  enable_execute_command = true
  propagate_tags         = "SERVICE"

  # Two gateways would shut each other out at every publish: the new one comes when the old one has gone.
  deployment_maximum_percent         = each.key == "gateway" ? 100 : 200
  deployment_minimum_healthy_percent = each.key == "gateway" ? 0 : 100
  health_check_grace_period_seconds  = 900

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = [for subnet in var.subnets : subnet.id]
    security_groups  = [var.client_security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.server[each.key].arn
    container_name   = "publog"
    container_port   = 8420
  }

  depends_on = [aws_lb_listener.https, aws_efs_mount_target.home]
}

resource "aws_ecs_service" "stream" {
  for_each = local.streams

  name                   = each.key
  cluster                = aws_ecs_cluster.this.id
  task_definition        = aws_ecs_task_definition.program[each.key].arn
  launch_type            = "FARGATE"
  desired_count          = 1
  enable_execute_command = true
  propagate_tags         = "SERVICE"

  # A part of the stream is one process's: the new one comes when the old one has gone. The other parts go on.
  deployment_maximum_percent         = 100
  deployment_minimum_healthy_percent = 0

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = [for subnet in var.subnets : subnet.id]
    security_groups  = [var.client_security_group_id]
    assign_public_ip = false
  }
}

# ---------------------------------------------------------------------------------------------------------- the way in

resource "aws_security_group" "balancer" {
  name        = "${var.name}-api"
  description = "The HTTP API, from the networks that are let in"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = toset(var.allowed_cidrs)

  security_group_id = aws_security_group.balancer.id
  description       = "HTTPS"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "To the servers"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 8420
  to_port                      = 8420
}

resource "aws_vpc_security_group_ingress_rule" "server" {
  security_group_id            = var.client_security_group_id
  description                  = "From the balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 8420
  to_port                      = 8420
}

resource "aws_lb" "this" {
  name                       = "${var.name}-api"
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = [for subnet in var.subnets : subnet.id]
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
  # Longer than a search may wait for an offset, or the feed of changes for the next one.
  idle_timeout = 120
}

resource "aws_lb_target_group" "server" {
  for_each = toset(["gateway", "search"])

  name                 = "${var.name}-${each.key}"
  port                 = 8420
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 30

  health_check {
    path    = "/healthz"
    matcher = "200"
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  # Whatever changes something is the gateway's.
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.server["gateway"].arn
  }
}

resource "aws_lb_listener_rule" "reading" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10

  condition {
    http_request_method {
      values = ["GET", "HEAD"]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.server["search"].arn
  }
}
