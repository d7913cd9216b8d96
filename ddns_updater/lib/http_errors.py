"""The reason why an HTTP request failed, as text that shows nothing of its URL."""

from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from ssl import SSLCertVerificationError, SSLError

from urllib3.exceptions import HTTPError, ProtocolError


def http_reason(error: BaseException, timeout: float) -> str:
    """Return the reason of an exception of requests, urllib3 or the system; `timeout` is in seconds."""
    match innermost(error):
        case SSLCertVerificationError() as cause:
            return f"has a certificate that could not be verified: {cause.verify_message}"
        case SSLError() as cause:
            return f"does not speak TLS: {cause.reason}"
        case ValueError():
            return "leads to an invalid URL"
        case TimeoutError():
            return f"timed out after {timeout:g} s"
        case IncompleteRead() | ProtocolError():
            return "sent an incomplete answer"
        case RemoteDisconnected():
            return "closed the connection without an answer"
        case HTTPException() | HTTPError():
            return "did not answer in HTTP"
        case OSError() as cause:
            return f"cannot be reached: {cause.strerror or cause}"
        case cause:
            return f"cannot be reached: {type(cause).__name__}"


def innermost(error: BaseException) -> BaseException:
    """Return the original cause: requests and urllib3 wrap one error in another, as its cause or as an argument."""
    for inner in (error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            return innermost(inner)
    return error
