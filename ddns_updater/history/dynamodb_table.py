"""The table of DynamoDB as `ddns init` makes it, and what one that is there lacks.

It is paid by request, encrypted by AWS's own key as every table is, and can be restored to any second of 35 days.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.lib.aws import error_code
from ddns_updater.lib.dynamodb import BY_LOOK, LOOK, PARTITION, SORT, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

_POLL, _LONGEST = 0.5, 60.0  # seconds between two looks at a table that is being made, and for all of them
_RESTORE = "point-in-time recovery"


def upgrade(table: Table) -> int:
    """Create the table, or switch on what it lacks, and return how many steps that took.

    Raises HistoryError for a table with other keys, which cannot be changed.
    """
    try:
        missing = lacks(table)
        steps = 0
    except NotInitialised:
        steps = _create(table)
        missing = [_RESTORE]
    if missing and not _has_keys(_described(table)):
        raise HistoryError(
            f"the table {table.name} is not one of ddns-updater: its keys must be {PARTITION} and {SORT}, text,"
            f" and it needs the local index {BY_LOOK} on {LOOK}",
            "name another table",
        )
    if _RESTORE in missing:
        steps += _protect(table)
    return steps


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
    """Create the table, wait until it can be used, and return 1; 0 when another init has created it meanwhile."""
    steps = 1
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
            steps = 0
    end = time.monotonic() + _LONGEST
    while _described(table)["TableStatus"] != "ACTIVE":
        if time.monotonic() > end:
            raise HistoryError(f"AWS is still making the table {table.name}", "run init again in a minute")
        time.sleep(_POLL)
    return steps


def _protect(table: Table) -> int:
    """Switch on point-in-time recovery and return 1; 0 where that does not exist, as in a table of a simulation."""
    with table.calling("switch on the point-in-time recovery of") as client:
        try:
            client.update_continuous_backups(
                TableName=table.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        except client.exceptions.ClientError as error:
            if error_code(error) != "UnknownOperationException":
                raise
            return 0
    return 1


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
