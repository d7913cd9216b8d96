"""Run `ddns` as `python -m ddns_updater`."""

from ddns_updater.cli.main import main

main()
