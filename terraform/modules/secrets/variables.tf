variable "name" {
  description = "The user on Kafka, and in the secrets' names."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts the secrets. MSK does not take those under AWS's own key."
  type        = string
}
