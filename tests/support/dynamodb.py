"""Tables of DynamoDB in moto, as `ddns init` makes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3

from ddns_updater.errors import HistoryError
from ddns_updater.history.dynamodb_versions import time_of, time_text
from ddns_updater.lib.aws import Client
from ddns_updater.lib.dynamodb import Table
from ddns_updater.settings.settings import Settings
from tests.support.aws import OF_TESTS
from tests.support.database import Database, load_settings_with
from tests.support.machine import AWS

REGION = "eu-west-1"
_URL = f"dynamodb://ddns?region={REGION}"
_OF_MARKS = ("dueSince", "lookAt", "missedAt", "sentAt")


@dataclass(frozen=True)
class TableDatabase(Database):
    """A table of its own for one test, where AWS_ENDPOINT_URL of this process leads to; it has no SQL."""

    aws: str

    @classmethod
    def at(cls, url: str) -> "TableDatabase":
        """Return a table in the simulated AWS at `url`, which is not there yet."""
        return cls("dynamodb", _URL, url)

    def settings(self, **changes: Any) -> Settings:
        """Return settings for this table alone."""
        return dynamodb_settings(self.aws, **changes)

    def is_empty(self) -> bool:
        """Return whether there is no table."""
        return not sdk(self.aws).list_tables()["TableNames"]

    def create_tables(self) -> None:
        """Make the table."""
        make_table(self.aws)

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield all items, with the types of their attributes."""
        for page in sdk(self.aws).get_paginator("scan").paginate(TableName="ddns", ConsistentRead=True):
            yield from page["Items"]

    def age(self, time: timedelta) -> None:
        """Let time pass for the publisher: all that is written down of records happened that much earlier."""
        client = sdk(self.aws)
        for item in self.items():
            key = {"pk": item["pk"], "sk": item["sk"]}
            if item["pk"]["S"] == "lease":
                client.delete_item(TableName="ddns", Key=key)
            for path in _times((), item):
                names = {f"#n{number}": name for number, name in enumerate(path)}
                was = item
                for name in path:
                    was = (was.get("M", was))[name]
                client.update_item(
                    TableName="ddns",
                    Key=key,
                    UpdateExpression=f"SET {'.'.join(names)} = :at",
                    ConditionExpression=f"{'.'.join(names)} = :was",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues={":at": {"S": time_text(time_of(was["S"]) - time)}, ":was": was},
                )


def _times(path: tuple[str, ...], attributes: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the times of a record in an item; those of its host and its versions stay."""
    for name, value in attributes.items():
        if "M" in value:
            yield from _times((*path, name), value["M"])
        elif name in _OF_MARKS if not path else name.endswith("At") or (path, name) == (("free",), "at"):
            yield (*path, name)


def sdk(url: str) -> Any:
    """Return a client of the test's own, whose calls are not counted."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("dynamodb", endpoint_url=url, region_name=REGION, config=OF_TESTS, **keys)  # type: ignore[call-overload]


def dynamodb_settings(url: str, **changes: str) -> Settings:
    """Return settings for a table of the simulated AWS at `url`, which needs not be there yet."""
    return load_settings_with(dynamodb_environment(url) | changes)


def dynamodb_environment(url: str) -> dict[str, str]:
    """Return the variables that lead to such a table."""
    return {**AWS, "AWS_ENDPOINT_URL": url, "DDNS_DATABASE_URL": _URL}


def make_table(url: str, name: str = "ddns") -> Table:
    """Make an empty table and return it; AWS_ENDPOINT_URL must lead to the same place when it is used."""
    sdk(url).create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "lookAt")],
        KeySchema=_keys("pk", "sk"),
        LocalSecondaryIndexes=[
            {"IndexName": "byLook", "KeySchema": _keys("pk", "lookAt"), "Projection": {"ProjectionType": "ALL"}}
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return Table(Client("dynamodb", HistoryError, REGION), name)


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
