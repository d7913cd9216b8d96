"""What all AWS adapters share: clients with timeouts, and the SDK's exceptions as our errors."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError
from botocore.parsers import ResponseParserError

from ddns_updater.errors import NEXT_RUN, DdnsError
from ddns_updater.lib.aws_calls import log_calls
from ddns_updater.lib.masking import masked

if TYPE_CHECKING:
    from ddns_updater.lib.budget import Budget

T = TypeVar("T")

_SECRETS = (
    (re.compile(r"(?<=://)[^/\s\"]*@"), ""),  # user and password of a URL
    (re.compile(r"\?[^\s\"]*"), ""),  # its query
    (re.compile(r"AWS4-HMAC-SHA256.*"), "AWS4-HMAC-SHA256 …"),  # a header with the key ID and the signature
    (re.compile(r"\s*The Canonical String for this request.*"), ""),  # it has the session token
)
_CREDENTIALS = (  # codes that say that the credentials are wrong, or no longer right
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_NOT_AWS = "check AWS_ENDPOINT_URL and the proxy settings"
_IDLE = 10.0  # seconds without a call after which connections are not used again
_CONNECT_TIMEOUT, _READ_TIMEOUT, _ATTEMPTS = 3.0, 8.0, 3  # seconds, seconds, tries of one call
_CONNECTIONS = 32  # at once; the SDK closes what is more after each call

_ADVICE: Mapping[str, str] = {
    "AccessDenied": 'attach the policy that "ddns iam-policy" prints',
    "AccessDeniedException": 'attach the policy that "ddns iam-policy" prints',  # DynamoDB's code for it
    "UnauthorizedOperation": 'attach the policy that "ddns iam-policy" prints',  # EC2's code for AccessDenied
    "AuthFailure": "check the AWS credentials",  # EC2's code for InvalidClientTokenId
    "InvalidClientTokenId": "check the AWS credentials",
    "SignatureDoesNotMatch": "check the AWS credentials and this machine's clock",
    "ExpiredToken": "renew the AWS credentials",
    "ExpiredTokenException": "renew the AWS credentials",
    "InvalidSignatureException": "check the AWS credentials and this machine's clock",
    "UnrecognizedClientException": "check the AWS credentials",
    "InvalidInstanceID.NotFound": "correct the ID, or name its region with ?region=NAME",
    "ParameterNotFound": "correct the name, or set AWS_DEFAULT_REGION",
    "NoSuchHostedZone": "correct DDNS_HOSTED_ZONE_ID or DDNS_RECORDS",
    "InvalidChangeBatch": "fix what is there now, or remove the name from DDNS_RECORDS",
}


class Client(Generic[T]):
    """A client of one service, made when it is first needed and kept, because making one costs far more than a call.

    It is made anew after its credentials failed, since the SDK reads static ones only once. Connections that were idle
    are closed: when the line's address changes, the peer never learns that they ended.
    """

    def __init__(
        self,
        service: str,
        kind: type[DdnsError],
        region: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        budget: "Budget | None" = None,
        patience: float | None = None,
    ) -> None:
        """Take the service, the kind of error to raise, and the region (default: the configured one).

        Each try of a call waits until `budget` has it. With `patience` all tries of a call end within these seconds.
        """
        self._service = service
        self._kind = kind
        self._region = region
        self._monotonic = monotonic
        self._budget = budget
        self._patience = patience
        self._kept: Any = None
        self._used_at = 0.0

    @contextmanager
    def calling(self, doing: str) -> Iterator[T]:
        """Yield the client; the SDK's exceptions in the block, and those of making it, become errors of the kind."""
        kept = self._kept  # another thread may drop it meanwhile
        try:
            if kept is None:
                with errors("failed to prepare the AWS client", self._kind):
                    made = _make(self._service, self._region, self._patience)
                if self._budget:
                    _charge(made, self._budget)
                self._check_token(made)
                self._kept = kept = made
            elif self._monotonic() - self._used_at > _IDLE:
                kept.close()
            with errors(doing, self._kind):
                yield kept
        except self._kind as error:
            error.problem = masked(error.problem, _secrets(kept))
            if _is_about_credentials(error.__cause__):
                self._kept = None
            raise
        finally:
            self._used_at = self._monotonic()

    def _check_token(self, client: Any) -> None:
        """Raise an error for a session token that no header takes: the SDK would quote it."""
        for secret in _secrets(client):
            if not (secret.isascii() and secret.isprintable()):
                raise self._kind(
                    "the AWS session token or secret key holds a line break, or is not ASCII",
                    "correct AWS_SESSION_TOKEN and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
                )


def _make(service: str, region: str | None, patience: float | None) -> Any:
    # Half of the time is for the pauses between the tries, which are random.
    each_try = _READ_TIMEOUT if patience is None else min(patience / 2 / _ATTEMPTS, _READ_TIMEOUT)
    session: Any = boto3.Session()  # the stubs type a client only by its service's literal name
    client = session.client(
        service,
        # Route 53 has no regions, but with AWS_ENDPOINT_URL the SDK needs one.
        region_name=region or session.region_name or "us-east-1",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=min(each_try, _CONNECT_TIMEOUT),
            read_timeout=each_try,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra="ddns-updater",
        ),
    )
    log_calls(client)
    if client.meta.service_model.protocol == "json":
        client.meta.events.register("before-parse", _check_source)
    return client


def _check_source(response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise an error for an answer that AWS has not given: the SDK takes any page for an empty answer in JSON.

    An error of a server or a load balancer (5xx) is left to the SDK, which repeats the request.
    """
    if response_dict["status_code"] < 500 and "x-amzn-requestid" not in response_dict["headers"]:
        raise ResponseParserError("it has no x-amzn-RequestId")


def _charge(client: Any, budget: "Budget") -> None:
    """Spend from `budget` at every try of a call of `client`, before it is signed, and say when AWS throttled one.

    PriorRequestNotComplete is about one hosted zone and not about how much was asked.
    """

    def spend(request: Any, **_: object) -> None:
        body = request.data if isinstance(request.data, bytes) else b""
        budget.spend(body.count(b"<Action>UPSERT</Action>"))

    def learn(response: Any, **_: object) -> None:
        if response and response[1].get("Error", {}).get("Code") == "Throttling":
            budget.throttled()

    client.meta.events.register_first("request-created", spend)
    client.meta.events.register("needs-retry", learn)


def _secrets(client: Any) -> list[str]:
    """Return the secrets that `client` has now, to be found in the SDK's texts; none before it is made."""
    credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    known = vars(credentials) if credentials else {}  # its properties would ask for new ones
    return [known[name] for name in ("secret_key", "_secret_key", "token", "_token") if known.get(name)]


def _is_about_credentials(cause: BaseException | None) -> bool:
    return error_code(cause) in _CREDENTIALS or isinstance(cause, NoCredentialsError | CredentialRetrievalError)


def error_code(error: BaseException | None) -> str:
    """Return AWS's code for `error`, such as AccessDenied; empty when `error` is not an answer from AWS."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def was_answered(error: BaseException | None) -> bool:
    """Return whether `error` says that AWS refused a call; without such an answer it may have done what was asked.

    The answer to a retry says nothing of the try before it, which AWS may have received.
    """
    if isinstance(error, ClientError):
        about = error.response["ResponseMetadata"]
        return int(about.get("HTTPStatusCode", 500)) < 500 and not about.get("RetryAttempts")
    return isinstance(error, NoCredentialsError | CredentialRetrievalError | ParamValidationError)


@contextmanager
def errors(doing: str, kind: type[DdnsError]) -> Iterator[None]:
    """Translate the SDK's exceptions in the block into `kind`."""
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if not code:
            raise kind(f"{doing}: the answer is not from AWS", _NOT_AWS) from error
        text = _one_line(error.response["Error"].get("Message") or "no reason given")
        problem = f"{doing}: AWS answered {code}: {text}"
        if code in _ADVICE:
            raise kind(problem, _ADVICE[code]) from error
        raise kind(problem, then=NEXT_RUN) from error
    except NoCredentialsError as error:
        raise kind(
            f"{doing}: there are no AWS credentials",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error
    except (AwsConnectionError, HTTPClientError) as error:
        raise kind(f"{doing}: AWS did not answer: {_one_line(error)}", then=NEXT_RUN) from error
    except (ResponseParserError, KeyError) as error:  # not XML, or XML without the fields of an AWS answer
        raise kind(f"{doing}: the answer is not from AWS", _NOT_AWS) from error
    except CredentialRetrievalError as error:  # its text is the output of another program, which may be a secret
        provider = error.kwargs.get("provider", "the configured provider")
        raise kind(f"{doing}: {provider} returned no AWS credentials", "run it yourself to see why") from error
    except (BotoCoreError, ValueError, OSError) as error:  # a bad AWS_ENDPOINT_URL, a file that is missing
        raise kind(f"{doing}: {_one_line(error)}", "check the AWS settings of this machine") from error


def _one_line(cause: object) -> str:
    """Return a message of the SDK on one line, without the secrets in the URLs and headers that it quotes."""
    text = " ".join(str(cause).split()).rstrip(".")
    for secret, shown in _SECRETS:
        text = secret.sub(shown, text)
    return text
