"""The table of DynamoDB as `ddns init` makes it, and what one that is there lacks.

It is paid by request, encrypted by AWS's own key as every table is, and can be restored to any second of 35 days.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.lib.aws import error_code
from ddns_updater.lib.dynamodb import BY_LOOK, LOOK, PARTITION, SORT, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

_POLL, _LONGEST = 0.5, 60.0  # seconds between two looks at what AWS is still making, and for all of them
_RESTORE = "point-in-time recovery"


def upgrade(table: Table) -> int:
    """Create the table, or switch on what it lacks, and return how many steps that took.

    Raises HistoryError for a table with other keys, which cannot be changed.
    """
    steps = 0
    try:
        _described(table)
    except NotInitialised:
        steps = _create(table)
    if not _has_keys(_once_made(table)):
        raise HistoryError(
            f"the table {table.name} is not one of ddns-updater: its keys must be {PARTITION} and {SORT}, text,"
            f" and it needs the local index {BY_LOOK} on {LOOK}",
            "name another table",
        )
    return steps + (_protect(table) if steps or lacks(table) else 0)


def lacks(table: Table) -> Sequence[str]:
    """Return what the table lacks, in words; raises NotInitialised when there is none."""
    if not _has_keys(_described(table)):
        return (f"the keys {PARTITION} and {SORT} with the local index {BY_LOOK}",)
    with table.calling("describe the backups of") as client:
        try:
            backups = client.describe_continuous_backups(TableName=table.name)["ContinuousBackupsDescription"]
        except client.exceptions.ClientError as error:
            if error_code(error) in ("UnknownOperationException", "AccessDeniedException"):
                return ()  # not known here, or the operator's own affair
            raise
    status = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return () if status == "ENABLED" else (_RESTORE,)


def _create(table: Table) -> int:
    """Create the table and return 1; 0 when another init creates it meanwhile."""
    with table.calling("create") as client:
        try:
            client.create_table(
                TableName=table.name,
                AttributeDefinitions=[
                    {"AttributeName": each, "AttributeType": "S"} for each in (PARTITION, SORT, LOOK)
                ],
                KeySchema=_keys(PARTITION, SORT),
                LocalSecondaryIndexes=[
                    {
                        "IndexName": BY_LOOK,
                        "KeySchema": _keys(PARTITION, LOOK),
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        except client.exceptions.ResourceInUseException:
            return 0
    return 1


def _once_made(table: Table) -> Mapping[str, Any]:
    """Return the description of a table that may have been created just now, as soon as it can be used."""
    for _ in _polls():
        with suppress(NotInitialised):  # a description may be older than the table
            description = _described(table)
            if description["TableStatus"] in ("ACTIVE", "UPDATING"):
                return description
    raise HistoryError(f"AWS is still creating the table {table.name}", "run init again in a minute")


def _protect(table: Table) -> int:
    """Switch on point-in-time recovery and return 1; 0 where that does not exist, as in a table of a simulation."""
    for _ in _polls():
        with table.calling("switch on the point-in-time recovery of") as client:
            try:
                client.update_continuous_backups(
                    TableName=table.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
                )
            except client.exceptions.ContinuousBackupsUnavailableException:
                continue  # they are being enabled, which goes on for a while after the table can be used
            except client.exceptions.ClientError as error:
                if error_code(error) != "UnknownOperationException":
                    raise
                return 0
        return 1
    raise HistoryError(f"AWS is still enabling the backups of the table {table.name}", "run init again in a minute")


def _polls() -> Iterator[None]:
    """Yield at once, and again and again until it has lasted for long."""
    end = time.monotonic() + _LONGEST
    yield
    while time.monotonic() < end:
        time.sleep(_POLL)
        yield


def _described(table: Table) -> Mapping[str, Any]:
    with table.calling("describe") as client:
        return client.describe_table(TableName=table.name)["Table"]


def _has_keys(description: Mapping[str, Any]) -> bool:
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    indexes = {each["IndexName"]: each for each in description.get("LocalSecondaryIndexes", ())}
    index = indexes.get(BY_LOOK, {})
    return (
        _names(description) == (PARTITION, SORT)
        and _names(index) == (PARTITION, LOOK)
        and index["Projection"]["ProjectionType"] == "ALL"
        and all(types.get(each) == "S" for each in (PARTITION, SORT, LOOK))
    )


def _names(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the partition key and the sort key of a table or an index."""
    ordered = sorted(described.get("KeySchema", ()), key=lambda each: str(each["KeyType"]))  # HASH, RANGE
    return tuple(each["AttributeName"] for each in ordered)


def _keys(partition: str, sort: str) -> "list[KeySchemaElementTypeDef]":
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
