locals {
  endpoints = var.endpoint ? 1 : 0
  apis      = var.endpoint && var.door == "http_api" ? 1 : 0

  host_names  = { "${local.change}NormalizedRecordNames" = var.host_names }
  host_values = { "${local.change}RecordTypes" = ["A", "AAAA"], "${local.change}Actions" = ["UPSERT"] }
  for_hosts = {
    Effect   = "Allow"
    Action   = [local.change]
    Resource = local.zone_arns
    Condition = merge(
      { for each in local.has_pattern ? [local.host_names] : [] : "ForAllValues:StringLike" => each },
      { "ForAllValues:StringEquals" = merge({ for key, value in local.host_names : key => value if !local.has_pattern }, local.host_values) },
    )
  }
}

module "endpoint" {
  source = "./function"
  count  = local.endpoints

  name                 = "${var.name}-endpoint"
  handler              = "ddns_updater.aws_lambda.endpoint"
  timeout              = max(var.run_timeout, 55) + 5 # a sweep takes 48 s at most, a start some more
  function             = local.function
  reserved_concurrency = var.reserved_concurrency
  environment          = local.environment
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.for_hosts], local.for_zones, local.for_table, local.for_parameters)
  })
}

# The default door; the other is in function_url.tf

resource "aws_apigatewayv2_api" "endpoint" {
  count = local.apis

  name            = module.endpoint[0].name
  protocol_type   = "HTTP"
  ip_address_type = "dualstack"
}

resource "aws_apigatewayv2_integration" "endpoint" {
  count = local.apis

  api_id                 = aws_apigatewayv2_api.endpoint[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.endpoint[0].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_route" "endpoint" {
  count = local.apis

  api_id    = aws_apigatewayv2_api.endpoint[0].id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.endpoint[0].id}"
}

resource "aws_apigatewayv2_stage" "endpoint" {
  count = local.apis

  api_id      = aws_apigatewayv2_api.endpoint[0].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = var.requests_per_second * 2
  }
}

resource "aws_lambda_permission" "api" {
  count = local.apis

  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = module.endpoint[0].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.endpoint[0].execution_arn}/*"
}
