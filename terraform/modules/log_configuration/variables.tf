variable "name" {
  description = "Name of the configuration, unique in its account and region."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z-]*$", var.name))
    error_message = "MSK takes letters, digits and hyphens, and no hyphen first."
  }
}

variable "kafka_versions" {
  description = "Kafka versions of the clusters that may use it; null for any."
  type        = list(string)
  default     = null

  validation {
    condition     = var.kafka_versions == null || try(length(var.kafka_versions) > 0, false)
    error_message = "Name at least one version, or leave it null."
  }
}

variable "replication_factor" {
  description = "Copies of every message, each on another broker."
  type        = number
  default     = 3

  validation {
    condition     = var.replication_factor == floor(var.replication_factor) && var.replication_factor >= 2
    error_message = "The log is the only source of truth: keep at least 2 copies (3, so that writing goes on while a broker is away)."
  }
}

variable "min_insync_replicas" {
  description = "Copies that must hold a message before its publish is acknowledged."
  type        = number
  default     = 2

  validation {
    condition     = var.min_insync_replicas == floor(var.min_insync_replicas) && var.min_insync_replicas >= 2
    error_message = "An acknowledged message must survive the loss of a broker: at least 2."
  }

  validation {
    condition     = var.min_insync_replicas <= var.replication_factor
    error_message = "More copies in sync than there are copies: nothing could ever be published."
  }
}
