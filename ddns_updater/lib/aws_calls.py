"""The log of what is asked of AWS and answered: a line before each call, one for each failed try, one after it.

Of a list in an answer it names the first items: a zone can have thousands of records.
The SDK's events: https://docs.aws.amazon.com/boto3/latest/guide/events.html
"""

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ddns_updater.lib.humanize import listed

log = logging.getLogger(__name__)

_NAMED = 5  # items of a list
_STARTED = "ddns_updater_started"  # in the context that the SDK keeps for a call


def log_calls(client: Any) -> None:
    """Log every call of a client of the SDK from now on."""
    events = client.meta.events
    events.register("provide-client-params", _log_request)
    events.register("needs-retry", _log_failed_try)
    events.register("after-call", _log_answer)
    events.register("after-call-error", _log_error)


def _log_request(params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
    context[_STARTED] = time.monotonic()
    given = ", ".join(_scalars("", params, model.input_shape))
    log.info("asking %s: %s(%s)", model.service_model.service_id, model.name, given)


def _log_failed_try(
    attempts: int, response: Any, caught_exception: Exception | None, operation: Any, **_: object
) -> None:
    if caught_exception:
        log.info("try %d of %s failed: %s", attempts, operation.name, type(caught_exception).__name__)
    elif response and "Error" in response[1]:
        log.info("try %d of %s failed: %s", attempts, operation.name, _code(response[1]))


def _log_answer(
    http_response: Any, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: object
) -> None:
    said = _code(parsed) if "Error" in parsed else ", ".join(_scalars("", parsed, model.output_shape)) or "nothing"
    request = parsed.get("ResponseMetadata", {}).get("RequestId")
    log.info(
        "%s answered %s after %d ms: status %d, %s%s",
        model.service_model.service_id,
        model.name,
        _milliseconds(context),
        http_response.status_code,
        said,
        f" (request {request})" if request else "",
    )


def _log_error(exception: Exception, context: Mapping[str, Any], **_: object) -> None:
    log.info("no answer after %d ms: %s", _milliseconds(context), type(exception).__name__)


def _scalars(path: str, values: Mapping[str, Any], shape: Any) -> Iterator[str]:
    """Yield the single values of a request or an answer with their paths, and the lengths of its lists.

    `shape` is what AWS says of them; the values that it calls sensitive are secret.
    """
    for key, value in values.items():
        member = getattr(shape, "members", {}).get(key)
        if member is not None and member.metadata.get("sensitive"):
            yield f"{path}{key}=…"
            continue
        match value:
            case dict() if key != "ResponseMetadata":
                yield from _scalars(f"{path}{key}.", value, member)
            case list():
                shown = listed(list(filter(None, map(_item, value))), _NAMED)
                yield f"{len(value)} {path}{key}{shown and f' ({shown})'}"
            case str() | int() | datetime():
                yield f"{path}{key}={value}"


def _item(item: object) -> str:
    """Return what names an item of a list, empty when nothing does."""
    if isinstance(item, dict):
        return " ".join(str(item[field]) for field in ("Id", "Name", "Type") if field in item)
    return item if isinstance(item, str) else ""


def _code(parsed: Mapping[str, Any]) -> str:
    """Return AWS's code of an error; its message is in the error that the run shows, and may quote a secret."""
    return str(parsed["Error"].get("Code", "an error without a code"))


def _milliseconds(context: Mapping[str, Any]) -> int:
    return int((time.monotonic() - context[_STARTED]) * 1000)
