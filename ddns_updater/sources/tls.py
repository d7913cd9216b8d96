"""How an address source that speaks HTTPS is verified."""

from functools import cache
from ssl import SSLContext

from certifi import where
from urllib3.util.ssl_ import create_urllib3_context

from ddns_updater.errors import SourceError
from ddns_updater.lib.authorities import load_public_authorities


@cache
def verifying_tls(ca_bundle: str | None) -> SSLContext:
    """Return TLS that trusts the authorities in the file or folder `ca_bundle`, or those of certifi when it is None.

    They are read once a process, because that takes 17 ms of CPU. Raises SourceError when they cannot be read.
    """
    context = create_urllib3_context()
    load_public_authorities(context, ca_bundle or where(), SourceError, "cannot be verified: ")
    return context
