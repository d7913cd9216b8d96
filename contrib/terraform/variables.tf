variable "name" {
  description = "The name of the functions and of all that belongs to them; a second deployment in a region needs another."
  type        = string
  default     = "ddns"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,40}$", var.name))
    error_message = "The name has at most 40 letters, digits, hyphens and underscores."
  }
}

variable "zip" {
  description = "The zip of the functions, as built by contrib/lambda/build."
  type        = string

  validation {
    condition     = fileexists(var.zip)
    error_message = "There is no such file; build it with contrib/lambda/build."
  }
}

variable "instances" {
  description = "The records that follow each EC2 instance, by its ID; * may be the first label. Without one no function follows."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for each in keys(var.instances) : can(regex("^i-([0-9a-f]{8}|[0-9a-f]{17})$", each))])
    error_message = "An instance ID looks like i-0123456789abcdef0."
  }
  validation {
    condition     = alltrue([for each in values(var.instances) : length(each) > 0])
    error_message = "Name at least one record of each instance."
  }
  validation {
    condition     = alltrue([for each in flatten(values(var.instances)) : can(regex("^(\\*\\.)?[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,63})+$", each))])
    error_message = "A record is a name in lower case without the final dot, such as home.example.com."
  }
  validation {
    condition     = length(distinct(flatten(values(var.instances)))) == length(flatten(values(var.instances)))
    error_message = "A record is named twice; it can follow one instance only."
  }
}

variable "hosted_zone_ids" {
  description = "The hosted zones of the records and hosts."
  type        = list(string)

  validation {
    condition     = length(var.hosted_zone_ids) > 0 && alltrue([for each in var.hosted_zone_ids : can(regex("^[A-Z0-9]{1,32}$", each))])
    error_message = "Name at least one hosted zone; its ID looks like Z0123456789ABCDEFGHIJ."
  }
}

variable "ip_families" {
  description = "The address families to keep: ipv4 for A records, ipv6 for AAAA records, or both."
  type        = list(string)
  default     = ["ipv4"]

  validation {
    condition     = contains(["ipv4", "ipv6", "ipv4,ipv6"], join(",", var.ip_families))
    error_message = "The families are [\"ipv4\"], [\"ipv6\"] or [\"ipv4\", \"ipv6\"]."
  }
}

variable "endpoint" {
  description = "Whether to make the update endpoint."
  type        = bool
  default     = false
}

variable "host_names" {
  description = "The names that hosts of the update endpoint may have; *.dyn.example.com stands for all below it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.host_names : can(regex("^(\\*\\.)?[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,63})+$", each))])
    error_message = "A name is in lower case without the final dot, such as *.dyn.example.com."
  }
}

variable "door" {
  description = "How requests reach the update endpoint: http_api, which limits their rate, or function_url, which does not."
  type        = string
  default     = "http_api"

  validation {
    condition     = contains(["http_api", "function_url"], var.door)
    error_message = "The door is http_api or function_url."
  }
}

variable "requests_per_second" {
  description = "How many requests per second the HTTP API lets through; twice as many at once."
  type        = number
  default     = 50

  validation {
    condition     = var.requests_per_second >= 1 && var.requests_per_second <= 10000
    error_message = "Let 1 to 10000 requests per second through."
  }
}

variable "reserved_concurrency" {
  description = "How many requests the endpoint handles at once. A function URL needs it; an account's quota must leave 100 (new ones: 10) to other functions."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.reserved_concurrency, 1) >= 1
    error_message = "Reserve at least 1: with 0 the endpoint answers nobody."
  }
}

variable "table_name" {
  description = "The table of DynamoDB that holds the history."
  type        = string
  default     = "ddns"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "The name of a table has 3 to 255 letters, digits, hyphens, underscores and dots."
  }
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted. Apply false before a destroy that should take the history too."
  type        = bool
  default     = true
}

variable "webhook_urls_parameter" {
  description = "The name of the SSM parameter (SecureString) that holds DDNS_WEBHOOK_URLS."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", coalesce(var.webhook_urls_parameter, "none")))
    error_message = "Write the name of a parameter, such as /ddns/webhook-urls, not the URL itself."
  }
}

variable "heartbeat_url_parameter" {
  description = "The name of the SSM parameter (SecureString) that holds DDNS_HEARTBEAT_URL."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", coalesce(var.heartbeat_url_parameter, "none")))
    error_message = "Write the name of a parameter, such as /ddns/heartbeat-url, not the URL itself."
  }
}

variable "schedule" {
  description = "How often the functions are started."
  type        = string
  default     = "rate(1 minute)"

  validation {
    condition     = can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\(.+\\))$", var.schedule))
    error_message = "A schedule is rate(1 minute), rate(5 minutes) or cron(...)."
  }
}

variable "run_timeout" {
  description = "DDNS_RUN_TIMEOUT: seconds after which a run ends itself. A function has 5 s more than its runs, one for each instance."
  type        = number
  default     = 55

  validation {
    condition     = var.run_timeout >= 2 && var.run_timeout <= 895 && floor(var.run_timeout) == var.run_timeout
    error_message = "A run may take 2 to 895 whole seconds: Lambda ends a function after 900."
  }
}

variable "memory_mb" {
  description = "The memory of a function, which also sets its share of a processor. With much less, a start takes longer than the 5 s that a function has beside its runs."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "A function has 128 to 10240 MB."
  }
}

variable "runtime" {
  description = "The Python of the functions."
  type        = string
  default     = "python3.13"

  validation {
    condition     = can(regex("^python3\\.(1[1-9])$", var.runtime))
    error_message = "The functions need python3.11 or later."
  }
}

variable "log_retention_days" {
  description = "Days that the logs are kept."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365 days, or one of its longer terms."
  }
}
