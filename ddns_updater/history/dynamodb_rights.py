"""The rights to the items of a table of DynamoDB, asked for by calls that change nothing."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ddns_updater.errors import HistoryError
from ddns_updater.lib.aws import error_code
from ddns_updater.lib.dynamodb import BY_LOOK, LOOK, PARTITION, SORT, Changed, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_KEY: Mapping[str, Any] = {PARTITION: {"S": " "}, SORT: {"S": " "}}  # no item has it
_NEVER: Mapping[str, Any] = {
    "Key": _KEY,
    "ConditionExpression": "#pk = :none",
    "ExpressionAttributeNames": {"#pk": PARTITION},
    "ExpressionAttributeValues": {":none": {"S": "none"}},
}
_PUT = {name: value for name, value in _NEVER.items() if name != "Key"} | {"Item": _KEY}
_WHERE = "pk = :pk AND {} = :sort"
_NOTHING: Mapping[str, Any] = {":pk": {"S": " "}, ":sort": {"S": " "}}


def check_rights(table: Table) -> None:
    """Raise HistoryError, which names every right that is missing; nothing is written."""
    name = table.name
    tries: Mapping[str, Callable[[DynamoDBClient], object]] = {
        "GetItem": lambda client: client.get_item(TableName=name, Key=_KEY),
        "BatchGetItem": lambda client: client.batch_get_item(RequestItems={name: {"Keys": [_KEY]}}),
        "Query": lambda client: client.query(
            TableName=name, KeyConditionExpression=_WHERE.format(SORT), ExpressionAttributeValues=_NOTHING
        ),
        f"Query on its index {BY_LOOK}": lambda client: client.query(
            TableName=name,
            IndexName=BY_LOOK,
            KeyConditionExpression=_WHERE.format(LOOK),
            ExpressionAttributeValues=_NOTHING,
        ),
        "PutItem": lambda client: client.put_item(TableName=name, **_PUT),
        "UpdateItem": lambda client: client.update_item(TableName=name, **_NEVER),
        "DeleteItem": lambda client: client.delete_item(TableName=name, **_NEVER),
    }
    refused: list[str] = []
    found: HistoryError | None = None
    for action, call in tries.items():
        try:
            with table.calling("use") as client:
                call(client)
        except Changed:  # as it must be
            continue
        except HistoryError as error:
            if error_code(error.__cause__) != "AccessDeniedException":
                raise
            found = error
            refused.append(action)
    if found:
        rights = ", ".join(f"dynamodb:{each}" for each in refused)
        raise HistoryError(f"AWS refuses {rights} on the table {name}", found.advice)
