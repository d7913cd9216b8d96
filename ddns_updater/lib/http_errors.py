"""Why an HTTP request got no answer, in words that show nothing of its URL."""

from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from ssl import SSLCertVerificationError, SSLError

from urllib3.exceptions import HTTPError, ProtocolError


def http_reason(error: BaseException, timeout: float) -> str:
    """Return the reason of an exception of requests, urllib3 or the system; `timeout` is in seconds."""
    match innermost(error):
        case SSLCertVerificationError() as cause:
            return f"its certificate could not be verified: {cause.verify_message}"
        case SSLError() as cause:
            return f"does not speak TLS: {cause.reason}"
        case ValueError():
            return "leads to a URL that cannot be used"
        case TimeoutError():
            return f"timed out after {timeout:g} s"
        case IncompleteRead() | ProtocolError():
            return "its answer was cut off"
        case RemoteDisconnected():
            return "closed the connection without an answer"
        case HTTPException() | HTTPError():
            return "did not answer in HTTP"
        case OSError() as cause:
            return f"cannot be reached: {cause.strerror or cause}"
        case cause:
            return f"cannot be reached: {type(cause).__name__}"


def innermost(error: BaseException) -> BaseException:
    """Return the first cause: requests and urllib3 wrap errors in one another, as causes and as arguments."""
    for inner in (error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            return innermost(inner)
    return error
