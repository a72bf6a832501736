variable "name" {
  description = "Begins the bucket's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,35}$", var.name))
    error_message = "Small letters, digits and hyphens, at most 36: S3 adds 26."
  }
}

variable "kms_key_arn" {
  description = "Encrypts what is in it."
  type        = string
}

variable "former_versions_days" {
  description = "Days for which what was overwritten or removed can be had back."
  type        = number
  default     = 90

  validation {
    condition     = var.former_versions_days >= 1
    error_message = "At least one day."
  }
}
