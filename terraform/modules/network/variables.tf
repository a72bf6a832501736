variable "name" {
  description = "Begins the names of all that is made."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "An IPv4 range from /16 to /24, as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones: the log has a broker in each."
  type        = list(string)

  validation {
    condition     = length(var.zones) == 3 && length(toset(var.zones)) == 3
    error_message = "Three different zones: one may be lost while the log goes on taking messages."
  }
}
