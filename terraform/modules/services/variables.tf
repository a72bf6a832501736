variable "name" {
  description = "Begins the names of all that is made."
  type        = string
}

variable "image" {
  description = "publog's container image, in a registry of this region that the network reaches (ECR)."
  type        = string

  validation {
    condition     = can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]*)$", var.image)) && !endswith(var.image, ":latest")
    error_message = "An image with a tag that stays or a digest: latest would be another one at each start."
  }
}

variable "collector_image" {
  description = "AWS's distribution of the OpenTelemetry collector, in a registry that the network reaches."
  type        = string
}

variable "cpu_architecture" {
  description = "That the images are for."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "X86_64 or ARM64."
  }
}

variable "bootstrap_brokers" {
  description = "HOST:PORT,... of the log."
  type        = string
}

variable "topic" {
  description = "Of the log."
  type        = string
  default     = "publog"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,200}$", var.topic))
    error_message = "Letters, digits, dots, underscores and hyphens."
  }
}

variable "search_endpoint" {
  description = "URL of the search servers, without a path."
  type        = string

  validation {
    condition     = can(regex("^https://[A-Za-z0-9.-]+:[0-9]+$", var.search_endpoint))
    error_message = "https://HOST:PORT: nothing goes over the wire in clear, and no password is in it."
  }
}

variable "index_name" {
  description = "Name of the index."
  type        = string
  default     = "publog"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,60}$", var.index_name))
    error_message = "Small letters, digits and hyphens, a letter first."
  }
}

variable "log_secret_arn" {
  description = "JSON with username and password to the log."
  type        = string
}

variable "search_secret_arn" {
  description = "The API key to the search servers."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts files and logs."
  type        = string
}

variable "bucket_arn" {
  description = "Where tasks may read and write objects."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Zone to a private subnet's id and addresses."
  type        = map(object({ id = string, cidr = string }))
}

variable "client_security_group_id" {
  description = "Of all tasks."
  type        = string
}

variable "certificate_arn" {
  description = "Of the API's name, from Certificate Manager."
  type        = string
}

variable "allowed_cidrs" {
  description = "Networks that may use the API: the newsroom's, by its VPN or a peered network."
  type        = list(string)

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "At least one IPv4 range, none larger than a /8: nothing here is open to the world."
  }
}

variable "stream_shards" {
  description = "Parts of the stream, each a service of its own."
  type        = number
  default     = 2

  validation {
    condition     = var.stream_shards == floor(var.stream_shards) && var.stream_shards >= 1 && var.stream_shards <= 64
    error_message = "A whole number from 1 to 64."
  }
}

variable "gateway" {
  description = "CPU units (1024 are one) and MiB of the gateway. There is one."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 2048, memory = 4096 }
}

variable "search" {
  description = "How many search servers, and their CPU units and MiB."
  type        = object({ count = number, cpu = number, memory = number })
  default     = { count = 2, cpu = 2048, memory = 4096 }

  validation {
    condition     = var.search.count >= 2
    error_message = "At least 2: one may be lost, or be replaced."
  }
}

variable "stream" {
  description = "CPU units and MiB of each part of the stream, which has the latest version of what its views may need in memory."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 2048, memory = 16384 }
}

variable "backfill" {
  description = "CPU units and MiB of a backfill: a process for each core but one."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 8192, memory = 61440 }
}

variable "traces" {
  description = "Whether requests are traced, to X-Ray."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 90
}
