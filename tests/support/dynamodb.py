"""Tables of DynamoDB in moto, as `ddns init` makes them."""

from typing import Any

import boto3

from ddns_updater.errors import HistoryError
from ddns_updater.lib.aws import Client
from ddns_updater.lib.dynamodb import Table
from ddns_updater.settings.settings import Settings
from tests.support.database import load_settings_with
from tests.support.machine import AWS

REGION = "eu-west-1"


def sdk(url: str) -> Any:
    """Return a client of the test's own."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("dynamodb", endpoint_url=url, region_name=REGION, **keys)  # type: ignore[call-overload]


def dynamodb_settings(url: str, **changes: str) -> Settings:
    """Return settings for a table of the simulated AWS at `url`, which needs not be there yet."""
    return load_settings_with(dynamodb_environment(url) | changes)


def dynamodb_environment(url: str) -> dict[str, str]:
    """Return the variables that lead to such a table."""
    return {**AWS, "AWS_ENDPOINT_URL": url, "DDNS_DATABASE_URL": f"dynamodb://ddns?region={REGION}"}


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
