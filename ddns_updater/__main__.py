"""`python -m ddns_updater` is `ddns`."""

from ddns_updater.cli import main

main()
