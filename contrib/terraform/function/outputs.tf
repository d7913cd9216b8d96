output "name" { value = aws_lambda_function.this.function_name }
output "arn" { value = aws_lambda_function.this.arn }
output "invoke_arn" { value = aws_lambda_function.this.invoke_arn }
output "policy" { value = aws_iam_role_policy.ddns.policy }
output "function" { value = aws_lambda_function.this }
output "log_group" { value = aws_cloudwatch_log_group.this }
output "logs_policy" { value = aws_iam_role_policy.logs.policy }
output "retries" { value = aws_lambda_function_event_invoke_config.this }
output "schedule" {
  value = {
    rule       = aws_cloudwatch_event_rule.schedule
    target     = aws_cloudwatch_event_target.schedule
    permission = aws_lambda_permission.schedule
  }
}
