variable "name" {
  description = "Begins the names of all that is made; several may stand beside each other."
  type        = string
  default     = "publog"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "2 to 20 small letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "Where."
  type        = string
}

variable "zones" {
  description = "Three availability zones of the region."
  type        = list(string)

  validation {
    condition     = alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "Zones of the region, as eu-west-1a."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network, which must be free where it is peered or reached by VPN."
  type        = string
  default     = "10.20.0.0/16"
}

variable "allowed_cidrs" {
  description = "Networks that may use the HTTP API."
  type        = list(string)
}

variable "domain" {
  description = "The API is api.DOMAIN, own search servers are search.DOMAIN."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A domain, as publog.newsroom.example."
  }
}

variable "dns_zone_id" {
  description = "The private hosted zone of that domain, associated with whoever uses it."
  type        = string
}

variable "certificate_arn" {
  description = "Of *.DOMAIN, from Certificate Manager."
  type        = string

  validation {
    condition     = startswith(var.certificate_arn, "arn:")
    error_message = "An ARN."
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
}

variable "image" {
  description = "publog's container image, in ECR."
  type        = string
}

variable "collector_image" {
  description = "AWS's distribution of the OpenTelemetry collector, in ECR."
  type        = string
}

variable "cpu_architecture" {
  description = "That the images are for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"
}

variable "topic" {
  description = "Of the log."
  type        = string
  default     = "publog"
}

variable "log_instance_type" {
  description = "Of a broker."
  type        = string
  default     = "kafka.m7g.large"
}

variable "log_volume_gib" {
  description = "GiB of each broker's volume at first; it grows by itself."
  type        = number
  default     = 300
}

variable "search_endpoint" {
  description = "https://HOST:PORT of Elasticsearch that is there already and is reached inside the network; null for three nodes of one's own."
  type        = string
  default     = null
}

variable "search_ami" {
  description = "For nodes of one's own: an image with Elasticsearch, the CloudWatch agent and the AWS command line."
  type        = string
  default     = null

  validation {
    condition     = (var.search_ami == null) != (var.search_endpoint == null)
    error_message = "Either search_endpoint, or search_ami and search_node_certificate_secret_arn."
  }
}

variable "search_node_certificate_secret_arn" {
  description = "For nodes of one's own: a secret with their PKCS 12 file, in base64."
  type        = string
  default     = null

  validation {
    condition     = (var.search_node_certificate_secret_arn == null) == (var.search_ami == null)
    error_message = "It goes with search_ami."
  }
}

variable "search_instance_type" {
  description = "Of a search node of one's own."
  type        = string
  default     = "r7g.large"
}

variable "search_volume_gib" {
  description = "GiB of each search node's volume."
  type        = number
  default     = 500
}

variable "stream_shards" {
  description = "Parts of the stream, each a service of its own."
  type        = number
  default     = 2
}

variable "traces" {
  description = "Whether requests are traced, to X-Ray."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days for which programs' logs are kept. Not the log of messages: that is kept for ever."
  type        = number
  default     = 90
}
