variable "name" {
  description = "Of the key's alias."
  type        = string
}
