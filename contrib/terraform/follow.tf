locals {
  follow_timeout = length(var.instances) * var.run_timeout + 5 # the runs are one after another

  for_records = {
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
  }
  for_instances = {
    Effect   = "Allow"
    Action   = ["ec2:DescribeInstances"]
    Resource = ["*"] # it cannot be limited to one instance
  }
}

module "follow" {
  source = "./function"
  count  = length(var.instances) == 0 ? 0 : 1

  name        = "${var.name}-follow"
  handler     = "ddns_updater.aws_lambda.follow"
  timeout     = local.follow_timeout
  function    = local.function
  environment = merge(local.environment, { DDNS_INSTANCES = jsonencode(var.instances) })
  # Text: the statements have different forms, and a list of Terraform's has one.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.for_records], local.for_zones, [local.for_instances], local.for_table, local.for_parameters)
  })
}

# A start gives an instance another address; what is missed here, the schedule finds.
resource "aws_cloudwatch_event_rule" "running" {
  count = length(module.follow)

  name        = "${var.name}-follow-running"
  description = "An instance has started"
  event_pattern = jsonencode({
    source        = ["aws.ec2"]
    "detail-type" = ["EC2 Instance State-change Notification"]
    detail        = { "instance-id" = keys(var.instances), state = ["running"] }
  })

  lifecycle {
    precondition {
      condition     = local.follow_timeout <= 900
      error_message = "Lambda ends a function after 900 s: lower run_timeout, or follow fewer instances, for each of them takes run_timeout at most, and 5 s remain."
    }
  }
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
