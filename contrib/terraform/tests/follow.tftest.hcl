mock_provider "aws" {
  mock_data "aws_partition" { defaults = { partition = "aws" } }
  mock_data "aws_region" { defaults = { region = "eu-west-1" } }
  mock_resource "aws_cloudwatch_log_group" { defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:g" } }
  mock_resource "aws_cloudwatch_event_rule" { defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/r" } }
}

variables {
  zip = "versions.tf" # any file
  instances = {
    "i-0123456789abcdef0" = ["www.example.com", "*.example.com"]
    "i-0123456789abcdef1" = ["vpn.example.com"]
  }
  hosted_zone_ids        = ["ZONE1"]
  webhook_urls_parameter = "/ddns/webhook-urls"
}

run "a_function_that_follows" {
  command = apply

  assert {
    condition     = jsondecode(module.follow[0].function.environment[0].variables.DDNS_INSTANCES) == { "i-0123456789abcdef0" = ["www.example.com", "*.example.com"], "i-0123456789abcdef1" = ["vpn.example.com"] }
    error_message = "the function does not know the instances"
  }
  assert {
    condition     = module.follow[0].function.environment[0].variables.DDNS_DATABASE_URL == "dynamodb://ddns?region=eu-west-1"
    error_message = "the function does not know the table"
  }
  assert {
    condition     = module.follow[0].function.environment[0].variables.DDNS_WEBHOOK_URLS_PARAMETER == "/ddns/webhook-urls"
    error_message = "the function does not know the parameter"
  }
  assert {
    condition     = module.follow[0].function.timeout > 2 * tonumber(module.follow[0].function.environment[0].variables.DDNS_RUN_TIMEOUT)
    error_message = "Lambda ends the second run before it ends itself"
  }
  assert {
    condition     = module.follow[0].function.logging_config[0].log_format == "JSON" && module.follow[0].function.logging_config[0].system_log_level == "WARN"
    error_message = "Lambda logs the start and the end of each minute"
  }
  assert {
    condition     = module.follow[0].schedule.rule.schedule_expression == "rate(1 minute)" && module.follow[0].schedule.target.arn == module.follow[0].arn
    error_message = "nothing starts the function each minute"
  }
  assert {
    condition     = module.follow[0].schedule.permission.source_arn == module.follow[0].schedule.rule.arn
    error_message = "any schedule may start the function"
  }
  assert {
    condition     = module.follow[0].retries.maximum_retry_attempts == 0 && module.follow[0].retries.maximum_event_age_in_seconds == 60
    error_message = "Lambda repeats a run"
  }
  assert {
    condition     = module.follow[0].log_group.retention_in_days == 1
    error_message = "logs are kept for longer than a day"
  }
  assert {
    condition     = !strcontains(module.follow[0].logs_policy, "CreateLogGroup")
    error_message = "a log group without retention could come back after a destroy"
  }
  assert {
    condition = alltrue([
      for each in jsondecode(module.follow[0].policy).Statement :
      !contains(flatten([each.Resource]), "*") || each.Action == ["ec2:DescribeInstances"]
    ])
    error_message = "only ec2:DescribeInstances needs *"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.running[0].event_pattern).detail == { "instance-id" = ["i-0123456789abcdef0", "i-0123456789abcdef1"], state = ["running"] }
    error_message = "the rule is about something else"
  }
  assert {
    condition     = aws_lambda_permission.running[0].source_arn == aws_cloudwatch_event_rule.running[0].arn
    error_message = "any rule may start the function"
  }
  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "the table can be deleted, or is paid by capacity"
  }
  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].enabled
    error_message = "the table cannot be restored, or is not encrypted"
  }
  assert {
    condition     = output.endpoint_url == null && length(module.endpoint) == 0
    error_message = "an endpoint that nobody asked for"
  }
}

run "nothing_without_an_instance" {
  command = plan
  variables { instances = {} }

  assert {
    condition     = length(module.follow) == 0 && length(aws_cloudwatch_event_rule.running) == 0
    error_message = "a function without an instance"
  }
}

run "refuses_a_bad_instance" {
  command = plan
  variables { instances = { nonsense = ["home.example.com"] } }
  expect_failures = [var.instances]
}

run "refuses_an_instance_without_a_record" {
  command = plan
  variables { instances = { "i-0123456789abcdef0" = [] } }
  expect_failures = [var.instances]
}

run "refuses_a_record_with_a_final_dot" {
  command = plan
  variables { instances = { "i-0123456789abcdef0" = ["home.example.com."] } }
  expect_failures = [var.instances]
}

run "refuses_a_record_of_two_instances" {
  command = plan
  variables { instances = { "i-0123456789abcdef0" = ["home.example.com"], "i-0123456789abcdef1" = ["home.example.com"] } }
  expect_failures = [var.instances]
}

run "refuses_a_zone_by_name" {
  command = plan
  variables { hosted_zone_ids = ["example.com"] }
  expect_failures = [var.hosted_zone_ids]
}

run "refuses_a_secret_instead_of_its_name" {
  command = plan
  variables { webhook_urls_parameter = "https://hooks.example.com/secret" }
  expect_failures = [var.webhook_urls_parameter]
}

run "refuses_a_schedule_that_aws_refuses" {
  command = plan
  variables { schedule = "rate(1 minutes)" }
  expect_failures = [var.schedule]
}

run "refuses_a_retention_that_aws_refuses" {
  command = plan
  variables { log_retention_days = 2 }
  expect_failures = [var.log_retention_days]
}

run "refuses_a_run_longer_than_lambda_allows" {
  command = plan
  variables { run_timeout = 896 }
  expect_failures = [var.run_timeout]
}

run "refuses_more_runs_than_lambda_has_time_for" {
  command = plan
  variables { run_timeout = 450 } # of two instances
  expect_failures = [aws_cloudwatch_event_rule.running]
}
