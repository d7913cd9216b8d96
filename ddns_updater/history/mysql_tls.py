"""The certificates and keys that the URL of a database names."""

import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ddns_updater.errors import HistoryError
from ddns_updater.history.url import MySqlUrl
from ddns_updater.lib.authorities import load_authorities, load_public_authorities


def required_tls(url: MySqlUrl, authorities: Callable[[], str]) -> ssl.SSLContext:
    """Return TLS as `url` demands it; raises HistoryError when a file that it names cannot be used.

    `authorities` gives the file or folder of the public certificate authorities.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if url.ssl_mode == "verify":
        context.check_hostname = url.ssl_verify_identity
        if url.ssl_ca:
            _trust(context, url.ssl_ca)
        else:
            load_public_authorities(context, authorities(), HistoryError)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if url.ssl_cert:
        _identify(context, url.ssl_cert, url.ssl_key)
    return context


def public_key(path: str) -> bytes:
    """Return the RSA public key in a PEM file; raises HistoryError when there is none."""
    content = _content("server_public_key", path)
    try:
        is_rsa = isinstance(load_pem_public_key(content), RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        is_rsa = False
    if not is_rsa:
        raise _unusable("server_public_key", path, "holds no RSA public key", "copy the server's public_key.pem")
    return content


def _trust(context: ssl.SSLContext, ssl_ca: str) -> None:
    try:
        load_authorities(context, ssl_ca)
    except OSError as error:
        _content("ssl_ca", ssl_ca)
        raise _unusable(
            "ssl_ca", ssl_ca, "holds no certificate", "name the PEM file of the authority that signed the server's"
        ) from error


def _identify(context: ssl.SSLContext, ssl_cert: str, ssl_key: str | None) -> None:
    """Give the server our own certificate."""

    def refuse() -> str:  # without it, OpenSSL asks on the terminal
        raise _unusable(name, key, "is encrypted", "remove its passphrase: openssl pkey -in FILE -out NEW")

    name, key = ("ssl_key", ssl_key) if ssl_key else ("ssl_cert", ssl_cert)
    if b"CERTIFICATE-----" not in _content("ssl_cert", ssl_cert):
        raise _unusable("ssl_cert", ssl_cert, "holds no certificate", "name the PEM file of the client's certificate")
    if b"PRIVATE KEY-----" not in _content(name, key):
        advice = "name the PEM file of the key" if ssl_key else "add ssl_key=FILE"
        raise _unusable(name, key, "holds no private key", advice)
    try:
        context.load_cert_chain(ssl_cert, key, refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem, advice = "is the key of another certificate than ssl_cert", "name the key that belongs to it"
        else:
            problem, advice = "cannot be used, or ssl_cert cannot", "write both as PEM"
        raise _unusable(name, key, problem, advice) from error


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unusable(name, path, f"cannot be read: {error.strerror}", "name a readable file") from error


def _unusable(name: str, path: str, problem: str, advice: str) -> HistoryError:
    return HistoryError(f"{name}={path!r} in DDNS_DATABASE_URL {problem}", advice)
