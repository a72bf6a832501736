variable "name" {
  description = "Begins the names of all that is made."
  type        = string
}

variable "ami" {
  description = "An image with Elasticsearch 8.18, the CloudWatch agent and the AWS command line in it."
  type        = string

  validation {
    condition     = startswith(var.ami, "ami-")
    error_message = "An image's id, as ami-0123456789abcdef0."
  }
}

variable "instance_type" {
  description = "Of a node. Half of its memory is Elasticsearch's."
  type        = string
  default     = "r7g.large"
}

variable "volume_gib" {
  description = "GiB of each node's volume: two generations and their replicas, twice while one is built."
  type        = number
  default     = 500

  validation {
    condition     = var.volume_gib == floor(var.volume_gib) && var.volume_gib >= 20
    error_message = "Whole GiB, at least 20."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "vpc_cidr" {
  description = "Its addresses."
  type        = string
}

variable "s3_prefix_list_id" {
  description = "S3's addresses."
  type        = string
}

variable "subnets" {
  description = "Zone to a private subnet's id and addresses."
  type        = map(object({ id = string, cidr = string }))

  validation {
    condition     = length(var.subnets) == 3
    error_message = "Three zones: with one lost, two nodes still agree on who leads."
  }
}

variable "client_security_group_id" {
  description = "Who may search and index."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts the volumes."
  type        = string
}

variable "node_certificate_secret_arn" {
  description = "A secret with the nodes' certificate, key and authority: a PKCS 12 file without a password, in base64."
  type        = string
}

variable "certificate_arn" {
  description = "Of the name under which the nodes are reached, from Certificate Manager."
  type        = string
}

variable "domain_name" {
  description = "That name."
  type        = string
}

variable "dns_zone_id" {
  description = "The private hosted zone that it is in."
  type        = string
}
