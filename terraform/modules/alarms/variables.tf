variable "name" {
  description = "Begins the alarms' names, and is the namespace of publog's own metrics."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts what is sent."
  type        = string
}

variable "emails" {
  description = "Who is told."
  type        = list(string)

  validation {
    condition     = length(var.emails) > 0 && alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "At least one address: an alarm that nobody hears is none."
  }
}

variable "stream_shards" {
  description = "Parts of the stream."
  type        = number
}

variable "log_cluster_name" {
  description = "The brokers, as metrics name them."
  type        = string
}

variable "api_metric_name" {
  description = "The API's balancer, as metrics name it."
  type        = string
}

variable "search_instances" {
  description = "Zone to search node; empty where the search servers are somebody else's."
  type        = map(string)
  default     = {}
}

variable "search_metrics_namespace" {
  description = "Where the nodes' metrics are."
  type        = string
  default     = ""
}
