provider "aws" {
  region = "eu-west-1"
}

# The names follow two instances; alerts go where the SSM parameter says.
# Build the zip first: ../../../lambda/build ddns.zip
module "ddns" {
  source = "../.."

  zip = "${path.module}/ddns.zip"
  instances = {
    "i-0123456789abcdef0" = ["home.example.com", "www.example.com"]
    "i-0123456789abcdef1" = ["vpn.example.com"]
  }
  hosted_zone_ids        = ["Z0123456789ABCDEFGHIJ"]
  webhook_urls_parameter = "/ddns/webhook-urls"
}
