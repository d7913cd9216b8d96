output "table_name" {
  description = "The table that holds the history."
  value       = aws_dynamodb_table.this.name
}

output "database_url" {
  description = "DDNS_DATABASE_URL of every other command."
  value       = local.environment.DDNS_DATABASE_URL
}

output "follow_function" {
  description = "The name of the function that follows the instances."
  value       = one(module.follow[*].name)
}

output "follow_policy" {
  description = "What that function may do."
  value       = one(module.follow[*].policy)
}

output "endpoint_function" {
  description = "The name of the function of the update endpoint."
  value       = one(module.endpoint[*].name)
}

output "endpoint_policy" {
  description = "What that function may do."
  value       = one(module.endpoint[*].policy)
}

output "endpoint_url" {
  description = "Where hosts send their updates."
  value       = one(concat(aws_apigatewayv2_api.endpoint[*].api_endpoint, aws_lambda_function_url.endpoint[*].function_url))
}
