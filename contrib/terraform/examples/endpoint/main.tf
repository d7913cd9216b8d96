provider "aws" {
  region = "eu-west-1"
}

# Hosts below dyn.example.com update themselves; `ddns host add` makes them.
# Build the zip first: ../../../lambda/build ddns.zip
module "ddns" {
  source = "../.."

  zip             = "${path.module}/ddns.zip"
  endpoint        = true
  host_names      = ["*.dyn.example.com"]
  hosted_zone_ids = ["Z0123456789ABCDEFGHIJ"]
}

output "url" {
  value = module.ddns.endpoint_url
}
