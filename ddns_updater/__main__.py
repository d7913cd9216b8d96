"""`python -m ddns_updater` is `ddns`."""

from ddns_updater.cli.main import main

main()
