"""The SDK of AWS, as quick as tests need it, and the adapters that use it with a client of their own."""

from collections.abc import Sequence
from functools import cache, partial

from botocore.loaders import JSONFileLoader, Loader

from ddns_updater.dns.route53 import Route53
from ddns_updater.errors import DnsError
from ddns_updater.lib.aws import Client
from ddns_updater.lib.budget import Budget


def open_route53(hosted_zone_ids: Sequence[str] = (), budget: Budget | None = None) -> Route53:
    """Return Route 53 for one run."""
    return Route53(Client("route53", DnsError, budget=budget), hosted_zone_ids)


def read_service_descriptions_once() -> None:
    """Let botocore keep what it reads in its own folder: each run makes a client, which would read it all anew."""
    load = cache(JSONFileLoader().load_file)
    services = cache(partial(Loader.list_available_services, Loader()))
    JSONFileLoader.load_file = lambda _, file_path: load(file_path)  # type: ignore[assignment, method-assign]
    Loader.list_available_services = lambda _, type_name: services(type_name)  # type: ignore[assignment, method-assign]
