"""The handlers of the functions for AWS Lambda; nothing else of the package knows Lambda.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

from typing import Any

Event = dict[str, Any]


def follow(event: Event, context: object) -> Event:  # noqa: ARG001 - the live state counts, whatever the event says
    """Do a run for each instance of the settings, and return the outcomes.

    A schedule and the state changes of the instances start it. Events come late, twice or not at all, so none is read.
    """
    from ddns_updater.aws_lambda.following import follow

    return follow()


def endpoint(event: Event, context: object) -> Event:  # noqa: ARG001 - the form of a handler
    """Answer a request of an HTTP API or a function URL, in payload format 2.0; any other event is that of a sweep."""
    from ddns_updater.aws_lambda.answering import answer, sweep

    return answer(event) if "requestContext" in event else sweep()
