mock_provider "aws" {
  mock_data "aws_partition" { defaults = { partition = "aws" } }
  mock_data "aws_region" { defaults = { region = "eu-west-1" } }
  mock_resource "aws_cloudwatch_log_group" { defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:g" } }
  mock_resource "aws_apigatewayv2_api" { defaults = { execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api", api_endpoint = "https://api.example.com" } }
  mock_resource "aws_cloudwatch_event_rule" { defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/r" } }
  mock_resource "aws_lambda_function_url" { defaults = { function_url = "https://url.example.com/" } }
}

variables {
  zip             = "versions.tf" # any file
  endpoint        = true
  host_names      = ["*.dyn.example.com"]
  hosted_zone_ids = ["ZONE1"]
}

run "an_http_api" {
  command = apply

  assert {
    condition     = aws_apigatewayv2_integration.endpoint[0].payload_format_version == "2.0"
    error_message = "the program reads payload 2.0"
  }
  assert {
    condition     = aws_apigatewayv2_api.endpoint[0].protocol_type == "HTTP" && aws_apigatewayv2_api.endpoint[0].ip_address_type == "dualstack"
    error_message = "hosts cannot come by IPv6"
  }
  assert {
    condition     = aws_apigatewayv2_stage.endpoint[0].default_route_settings[0].throttling_rate_limit == 50 && aws_apigatewayv2_stage.endpoint[0].default_route_settings[0].throttling_burst_limit == 100
    error_message = "nothing limits the requests"
  }
  assert {
    condition     = aws_lambda_permission.api[0].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:api/*"
    error_message = "any API may call the function"
  }
  assert {
    condition     = module.endpoint[0].schedule.rule.schedule_expression == "rate(1 minute)" && module.endpoint[0].schedule.target.arn == module.endpoint[0].arn
    error_message = "nothing sweeps each minute"
  }
  assert {
    condition     = module.endpoint[0].schedule.permission.source_arn == module.endpoint[0].schedule.rule.arn
    error_message = "any schedule may start the function"
  }
  assert {
    condition     = module.endpoint[0].function.environment[0].variables.DDNS_RUN_TIMEOUT == "55" && module.endpoint[0].function.timeout == 60
    error_message = "Lambda ends a sweep before it ends itself"
  }
  assert {
    condition     = output.endpoint_url == "https://api.example.com" && length(aws_lambda_function_url.endpoint) == 0
    error_message = "another door is open"
  }
  assert {
    condition     = module.endpoint[0].function.reserved_concurrent_executions == -1
    error_message = "a new account has nothing to reserve"
  }
}

run "a_sweep_has_its_time_whatever_a_run_has" {
  command = plan
  variables { run_timeout = 10 }

  assert {
    condition     = module.endpoint[0].function.timeout == 60
    error_message = "Lambda ends a sweep before it ends itself"
  }
}

run "a_function_url" {
  command = apply
  variables {
    door                 = "function_url"
    reserved_concurrency = 5
  }

  assert {
    condition     = aws_lambda_permission.url[0].action == "lambda:InvokeFunctionUrl" && aws_lambda_permission.url[0].function_url_auth_type == "NONE"
    error_message = "the first permission is missing"
  }
  assert {
    condition     = aws_lambda_permission.by_url[0].action == "lambda:InvokeFunction" && aws_lambda_permission.by_url[0].invoked_via_function_url
    error_message = "the second permission is missing, or lets anybody invoke the function directly"
  }
  assert {
    condition     = module.endpoint[0].function.reserved_concurrent_executions == 5
    error_message = "nothing limits the function"
  }
  assert {
    condition     = output.endpoint_url == "https://url.example.com/" && length(aws_apigatewayv2_api.endpoint) == 0
    error_message = "another door is open"
  }
}

run "refuses_a_function_url_without_a_limit" {
  command = plan
  variables { door = "function_url" }
  expect_failures = [aws_lambda_function_url.endpoint]
}

run "refuses_another_door" {
  command = plan
  variables { door = "window" }
  expect_failures = [var.door]
}

run "refuses_an_endpoint_that_answers_nobody" {
  command = plan
  variables { reserved_concurrency = 0 }
  expect_failures = [var.reserved_concurrency]
}
