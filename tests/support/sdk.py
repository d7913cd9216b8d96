"""The SDK of AWS, as quick as tests need it."""

from functools import cache, partial

from botocore.loaders import JSONFileLoader, Loader


def read_service_descriptions_once() -> None:
    """Let botocore keep what it reads in its own folder: each run makes a client, which would read it all anew."""
    load = cache(JSONFileLoader().load_file)
    services = cache(partial(Loader.list_available_services, Loader()))
    JSONFileLoader.load_file = lambda _, file_path: load(file_path)  # type: ignore[assignment, method-assign]
    Loader.list_available_services = lambda _, type_name: services(type_name)  # type: ignore[assignment, method-assign]
