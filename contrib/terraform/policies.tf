# The statements are those that `ddns iam-policy` prints for the same settings.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  table_arn = "arn:${local.partition}:dynamodb:${local.region}:*:table/${var.table_name}"

  zone_arns = [for each in var.hosted_zone_ids : "arn:${local.partition}:route53:::hostedzone/${each}"]
  types     = [for each in var.ip_families : { ipv4 = "A", ipv6 = "AAAA" }[each]]
  change    = "route53:ChangeResourceRecordSets"

  # A condition spells * in octal; only among hosts it is a pattern.
  record_names = sort([for each in flatten(values(var.instances)) : replace(each, "*", "\\052")])
  has_pattern  = anytrue([for each in var.host_names : startswith(each, "*")])

  parameters = { for variable, name in {
    DDNS_WEBHOOK_URLS_PARAMETER  = var.webhook_urls_parameter
    DDNS_HEARTBEAT_URL_PARAMETER = var.heartbeat_url_parameter
  } : variable => name if name != null }

  for_zones = [
    {
      Effect   = "Allow"
      Action   = ["route53:GetHostedZone", "route53:ListResourceRecordSets"]
      Resource = local.zone_arns
    },
    {
      Effect   = "Allow"
      Action   = ["route53:GetChange"]
      Resource = ["arn:${local.partition}:route53:::change/*"]
    },
  ]
  for_table = [
    {
      Effect = "Allow"
      Action = [
        "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable",
        "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem",
        "dynamodb:Query", "dynamodb:UpdateItem",
      ]
      Resource = [local.table_arn]
    },
    {
      Effect   = "Allow"
      Action   = ["dynamodb:Query"]
      Resource = ["${local.table_arn}/index/byLook"]
    },
  ]
  for_parameters = [for each in length(local.parameters) > 0 ? [local.parameters] : [] : {
    Effect   = "Allow"
    Action   = ["ssm:GetParameter"]
    Resource = [for name in values(each) : "arn:${local.partition}:ssm:*:*:parameter/${trimprefix(name, "/")}"]
  }]

  environment = merge(local.parameters, {
    DDNS_DATABASE_URL   = "dynamodb://${var.table_name}?region=${local.region}"
    DDNS_HOSTED_ZONE_ID = join(",", var.hosted_zone_ids)
    DDNS_IP_FAMILIES    = join(",", var.ip_families)
    DDNS_RUN_TIMEOUT    = tostring(var.run_timeout)
  })
  function = {
    zip                = var.zip
    runtime            = var.runtime
    memory_mb          = var.memory_mb
    schedule           = var.schedule
    log_retention_days = var.log_retention_days
  }
}
