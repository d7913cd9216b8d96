variable "name" { type = string }
variable "handler" { type = string }
variable "environment" { type = map(string) }
variable "policy" { type = string }
variable "timeout" { type = number }

variable "reserved_concurrency" {
  type    = number
  default = null
}

variable "function" {
  description = "What all functions have in common."
  type = object({
    zip                = string
    runtime            = string
    memory_mb          = number
    schedule           = string
    log_retention_days = number
  })
}
