# The other door, which nothing but the reserved concurrency limits.

locals {
  urls = var.endpoint && var.door == "function_url" ? 1 : 0
}

resource "aws_lambda_function_url" "endpoint" {
  count = local.urls

  function_name      = module.endpoint[0].name
  authorization_type = "NONE" # the program checks logins itself

  lifecycle {
    precondition {
      condition     = var.reserved_concurrency != null
      error_message = "Set reserved_concurrency: a function URL can take all of the account's."
    }
  }
}

resource "aws_lambda_permission" "url" {
  count = local.urls

  statement_id           = "url"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.endpoint[0].name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "by_url" {
  count = local.urls

  statement_id             = "by-url"
  action                   = "lambda:InvokeFunction"
  function_name            = module.endpoint[0].name
  principal                = "*"
  invoked_via_function_url = true
}
