"""The certificate authorities that TLS trusts, in a file or a folder."""

from pathlib import Path
from ssl import SSLContext

from ddns_updater.errors import DdnsError


def load_authorities(context: SSLContext, place: str) -> None:
    """Let `context` trust the authorities in the file or folder `place`; raises OSError, as an SSLError is."""
    context.load_verify_locations(**{"capath" if Path(place).is_dir() else "cafile": place})


def load_public_authorities(context: SSLContext, place: str, kind: type[DdnsError], doing: str = "") -> None:
    """Let `context` trust the public authorities, which are in `place`; raises `kind`, whose text `doing` begins."""
    try:
        load_authorities(context, place)
    except OSError as error:
        raise kind(
            f"{doing}failed to read the certificate authorities in {place}: {error.strerror}",
            "correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE",
        ) from error
