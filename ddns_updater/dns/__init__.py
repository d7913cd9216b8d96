"""DNS: publish records in Route 53 and check them."""
