locals {
  for_records = [{
    Effect   = "Allow"
    Action   = [local.change]
    Resource = local.zone_arns
    Condition = {
      "ForAllValues:StringEquals" = {
        "${local.change}NormalizedRecordNames" = local.record_names
        "${local.change}RecordTypes"           = local.types
        "${local.change}Actions"               = ["UPSERT"]
      }
    }
  }]
  for_instance = [{
    Effect   = "Allow"
    Action   = ["ec2:DescribeInstances"]
    Resource = ["*"] # it cannot be limited to one instance
  }]
}

module "follow" {
  source = "./function"
  count  = var.instance_id == null ? 0 : 1

  name     = "${var.name}-follow"
  handler  = "ddns_updater.aws_lambda.follow"
  function = local.function
  environment = merge(local.environment, {
    DDNS_IP_SOURCES = "ec2:${coalesce(var.instance_id, "none")}"
    DDNS_RECORDS    = join(",", var.records)
  })
  # Text: the statements have different forms, and a list of Terraform's has one.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for each in local.for_records : each if length(var.records) > 0],
      [for each in local.for_zones : each if length(var.records) > 0],
      local.for_instance, local.for_table, local.for_parameters,
    )
  })
}

# A start gives the instance another address; what is missed here, the schedule finds.
resource "aws_cloudwatch_event_rule" "running" {
  count = length(module.follow)

  name        = "${var.name}-follow-running"
  description = "The instance has started"
  event_pattern = jsonencode({
    source        = ["aws.ec2"]
    "detail-type" = ["EC2 Instance State-change Notification"]
    detail        = { "instance-id" = [var.instance_id], state = ["running"] }
  })

  depends_on = [module.follow] # AWS refuses a second function of a name, but overwrites a rule
}

resource "aws_cloudwatch_event_target" "running" {
  count = length(module.follow)

  rule = aws_cloudwatch_event_rule.running[0].name
  arn  = module.follow[0].arn
}

resource "aws_lambda_permission" "running" {
  count = length(module.follow)

  statement_id  = "running"
  action        = "lambda:InvokeFunction"
  function_name = module.follow[0].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.running[0].arn
}
