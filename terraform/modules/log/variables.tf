variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "kafka_version" {
  description = "As MSK names it."
  type        = string
  default     = "3.9.x"
}

variable "instance_type" {
  description = "Of a broker."
  type        = string
  default     = "kafka.m7g.large"

  validation {
    condition     = startswith(var.instance_type, "kafka.") && !startswith(var.instance_type, "kafka.t3") && !startswith(var.instance_type, "express.")
    error_message = "A standard broker, as kafka.m7g.large; kafka.t3 can't keep its volumes' pace, and express brokers take other settings."
  }
}

variable "volume_gib" {
  description = "GiB of each broker's volume at first. Every broker holds the whole log."
  type        = number
  default     = 300

  validation {
    condition     = var.volume_gib == floor(var.volume_gib) && var.volume_gib >= 10
    error_message = "Whole GiB, at least 10."
  }
}

variable "volume_gib_max" {
  description = "GiB up to which a volume grows by itself when it is filled by 70 %."
  type        = number
  default     = 2000

  validation {
    condition     = var.volume_gib_max > var.volume_gib && var.volume_gib_max <= 16384
    error_message = "More than volume_gib, or the log would stop when it is full; at most 16384."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "A private subnet in each of three zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 3
    error_message = "Three, for a broker in each."
  }
}

variable "client_security_group_id" {
  description = "Who may reach the brokers."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts the volumes."
  type        = string
}

variable "secret_arn" {
  description = "User and password, in a secret named AmazonMSK_..."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which the brokers' own logs are kept."
  type        = number
  default     = 90
}
