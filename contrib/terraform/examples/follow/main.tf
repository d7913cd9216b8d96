provider "aws" {
  region = "eu-west-1"
}

# home.example.com follows the instance; alerts go where the SSM parameter says.
module "ddns" {
  source = "../.."

  zip                    = "${path.module}/ddns.zip"
  instance_id            = "i-0123456789abcdef0"
  records                = ["home.example.com"]
  hosted_zone_ids        = ["Z0123456789ABCDEFGHIJ"]
  webhook_urls_parameter = "/ddns/webhook-urls"
}
