"""One table of DynamoDB: items by partition key and sort key, conditional writes, and leases.

There are no transactions here: each write stands alone. A write that the SDK repeats after a lost answer must know its
own, so that every condition also holds for an item that this very write has left.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from boto3.dynamodb.types import (  # noqa: TID251 - lib/aws.py creates the client
    TypeDeserializer,
    TypeSerializer,
)

from ddns_updater.errors import NEXT_RUN, HistoryError, NoAnswer, NotInitialised
from ddns_updater.lib.at_once import at_once
from ddns_updater.lib.aws import Client, error_code, was_answered

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

Item = Mapping[str, Any]  # attributes by name: text, whole numbers, booleans, None, and lists and mappings of these

PARTITION, SORT = "pk", "sk"
BY_LOOK, LOOK = "byLook", "lookAt"  # a local index, which sorts the items of a partition that have a time to look at
_NOTHING: Item = MappingProxyType({})
_LEASE = "lease"
_BATCH = 100  # items that one call reads
_PAUSES = (0.0, 0.1, 0.3, 1.0)  # seconds before each try to read items that AWS left out of a batch
_ONLY_NEW_OR_OWN = "attribute_not_exists(pk) OR #token = :token"
_LEASED = ("until", "owner")
_FREE_OR_OWN = "attribute_not_exists(pk) OR #until < :now OR #owner = :owner"

_write, _read = TypeSerializer().serialize, TypeDeserializer().deserialize


class Changed(HistoryError):
    """An item is not, or no longer, what the condition of a write asks for; nothing was written."""


class TooLarge(HistoryError):
    """An item would be larger than the 400 KB that one may have; nothing was written."""


class Update(NamedTuple):
    """What an update does to one item: attributes to set, to set unless they are there, and to remove.

    `condition` is an expression over the names and the `values` that it uses, each `#name` and `:name`; None is none.
    """

    set: Item = _NOTHING
    default: Item = _NOTHING
    remove: Sequence[str] = ()
    condition: str | None = None
    names: Sequence[str] = ()
    values: Item = _NOTHING


class Table:
    """A table in one region. Its methods raise HistoryError, NotInitialised when there is no such table.

    It may be used from several threads. With `read_only` every write fails.
    """

    def __init__(self, client: "Client[DynamoDBClient]", name: str, *, read_only: bool = False) -> None:
        self._client = client
        self.name = name
        self._read_only = read_only

    def get(self, partition: str, sort: str) -> Item | None:
        """Return an item as it is now, None when there is none."""
        with self.calling("read") as client:
            answer = client.get_item(TableName=self.name, Key=_key(partition, sort), ConsistentRead=True)
        return _item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Return those of many items that there are, by partition and sort key; one call reads a hundred."""
        wanted = [_key(*each) for each in dict.fromkeys(keys)]
        pages = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
        items = [item for page in at_once(self._get_page, pages) for item in page]
        return {(item[PARTITION], item[SORT]): item for item in items}

    def _get_page(self, keys: Sequence[Mapping[str, Any]]) -> list[Item]:
        """Return the items with at most a hundred keys: also those that come only when they are asked for again."""
        items: list[Item] = []
        left: Any = {self.name: {"Keys": keys, "ConsistentRead": True}}
        for pause in _PAUSES:
            time.sleep(pause)
            with self.calling("read") as client:
                answer = client.batch_get_item(RequestItems=left)
            items += map(_item, answer["Responses"].get(self.name, ()))
            left = answer.get("UnprocessedKeys")
            if not left:
                return items
        raise NoAnswer(f"failed to read the table {self.name}: AWS left out items {len(_PAUSES)} times", then=NEXT_RUN)

    def put(self, partition: str, sort: str, item: Item, *, token: str | None = None) -> None:
        """Write an item over what is there; with a token only where nothing is, else raise Changed.

        The token is kept in the item: a put that is repeated after a lost answer finds its own item and has succeeded.
        """
        row = {PARTITION: partition, SORT: sort, **item}
        condition: dict[str, Any] = {}
        if token is not None:
            row["token"] = token
            condition = {
                "ConditionExpression": _ONLY_NEW_OR_OWN,
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {":token": _write(token)},
            }
        with self._writing() as client:
            client.put_item(TableName=self.name, Item=_row(row), **condition)

    def update(self, partition: str, sort: str, update: Update) -> Item:
        """Change some attributes of an item, which is made when it is missing, and return it as it then is.

        Raises Changed when the condition does not hold.
        """
        names = {f"#{each}": each for each in (*update.set, *update.default, *update.remove, *update.names)}
        values = {f":{name}": _write(value) for name, value in update.values.items()}
        sets = [f"#{name} = :set_{name}" for name in update.set]
        sets += [f"#{name} = if_not_exists(#{name}, :set_{name})" for name in update.default]
        values |= {f":set_{name}": _write(value) for name, value in {**update.set, **update.default}.items()}
        removes = [f"#{name}" for name in update.remove]
        clauses = [f"SET {', '.join(sets)}" if sets else "", f"REMOVE {', '.join(removes)}" if removes else ""]
        asked: dict[str, Any] = {"UpdateExpression": " ".join(filter(None, clauses))}
        asked |= {"ConditionExpression": update.condition} if update.condition else {}
        asked |= {"ExpressionAttributeNames": names} if names else {}
        asked |= {"ExpressionAttributeValues": values} if values else {}
        with self._writing() as client:
            answer = client.update_item(TableName=self.name, Key=_key(partition, sort), ReturnValues="ALL_NEW", **asked)
        return _item(answer["Attributes"])

    def delete(
        self,
        partition: str,
        sort: str,
        condition: str | None = None,
        names: Sequence[str] = (),
        values: Item = _NOTHING,
    ) -> None:
        """Delete an item, which need not exist; raises Changed when the condition does not hold."""
        asked: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        asked |= {"ExpressionAttributeNames": {f"#{each}": each for each in names}} if names else {}
        if values:
            asked["ExpressionAttributeValues"] = {f":{name}": _write(value) for name, value in values.items()}
        with self._writing() as client:
            client.delete_item(TableName=self.name, Key=_key(partition, sort), **asked)

    def query(
        self,
        partition: str,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        backwards: bool = False,
        limit: int | None = None,
        looks_until: str | None = None,
    ) -> Iterator[Item]:
        """Yield the items of a partition as they are now, by sort key; they are read in pages, as they are needed.

        Their sort keys begin with `prefix`, or are greater than `after` or less than `before`: one of the three.
        `looks_until` yields those with a time to look at up to then, the earliest first.
        """
        condition, values = "pk = :pk", {":pk": _write(partition)}
        for sign, bound in ((">", after), ("<", before)):
            if bound is not None:
                condition, values = f"{condition} AND sk {sign} :sk", values | {":sk": _write(bound)}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :sk)", values | {":sk": _write(prefix)}
        asked: dict[str, Any] = {"ScanIndexForward": not backwards, "ConsistentRead": True}
        if looks_until is not None:
            condition, values = f"{condition} AND lookAt <= :look", values | {":look": _write(looks_until)}
            asked["IndexName"] = BY_LOOK
        left = limit
        while left is None or left > 0:
            if left is not None:
                asked["Limit"] = left
            with self.calling("read") as client:
                answer = client.query(
                    TableName=self.name, KeyConditionExpression=condition, ExpressionAttributeValues=values, **asked
                )
            yield from map(_item, answer["Items"])
            left = None if left is None else left - len(answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    @contextmanager
    def lease(self, name: str, seconds: float) -> "Iterator[Lease | None]":
        """Take a lease without waiting; None when another one holds it. It ends after `seconds`, also unreturned.

        It keeps two holders from doing the same at once, and no more: a holder that was suspended may write after its
        end. What it writes then must do no harm.
        """
        lease = Lease(self, name, seconds)
        try:
            lease.take()
        except Changed:
            yield None
            return
        try:
            yield lease
        finally:
            with suppress(HistoryError):  # another holder has it by now, or it ends by itself
                lease.give_back()

    def leases(self) -> Iterator[tuple[str, float]]:
        """Yield each lease that is held now, with the seconds until it ends."""
        now = time.time()
        for item in self.query(_LEASE):
            if (seconds := item["until"] / 1000 - now) > 0:
                yield item[SORT], seconds

    def _writing(self) -> "AbstractContextManager[DynamoDBClient]":
        if self._read_only:
            raise HistoryError(f"failed to write the table {self.name}: it is only to be read")
        return self.calling("write")

    @contextmanager
    def calling(self, doing: str) -> "Iterator[DynamoDBClient]":
        """Yield the client; errors in the block become HistoryError, Changed, TooLarge, NotInitialised or NoAnswer."""
        try:
            with self._client.calling(f"failed to {doing} the table {self.name}") as client:
                yield client
        except HistoryError as error:
            match error_code(error.__cause__):
                case "ConditionalCheckFailedException":
                    raise Changed(
                        f"an item of the table {self.name} was changed meanwhile", "try it again"
                    ) from error.__cause__
                case "ValidationException" if "exceeded the maximum allowed size" in error.problem:
                    raise TooLarge(f"an item of the table {self.name} would have more than 400 KB") from error.__cause__
                case "ResourceNotFoundException":
                    raise NotInitialised(
                        f"there is no table {self.name} in {client.meta.region_name}", 'run "ddns init --name NAME"'
                    ) from error.__cause__
                case _ if not was_answered(error.__cause__):
                    raise NoAnswer(error.problem, error.advice, then=error.then) from error.__cause__
                case _:
                    raise


class Lease:
    """A lease of one holder."""

    def __init__(self, table: Table, name: str, seconds: float) -> None:
        """Take the table, the name of the lease, and how long it holds; it is not taken yet."""
        self._table = table
        self._name = name
        self._seconds = seconds
        self._owner = uuid4().hex
        self._taken_at = 0.0

    def take(self) -> None:
        """Take it, or hold it for as long again; raises Changed when another one holds it."""
        now = time.time()
        values = {"now": int(now * 1000), "owner": self._owner}
        until = int((now + self._seconds) * 1000)
        update = Update({"owner": self._owner, "until": until}, condition=_FREE_OR_OWN, names=_LEASED, values=values)
        self._table.update(_LEASE, self._name, update)
        self._taken_at = now

    def keep(self) -> None:
        """Hold it for as long again once a third of its time has passed; raises HistoryError when that is too late."""
        if 0 <= time.time() - self._taken_at < self._seconds / 3:
            return
        try:
            self.take()
        except Changed as error:
            raise HistoryError(f"the lease {self._name} ran out, and another one holds it") from error

    def give_back(self) -> None:
        """Let another one take it; raises Changed when one has."""
        self._table.delete(_LEASE, self._name, "#owner = :owner", ("owner",), {"owner": self._owner})


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {PARTITION: _write(partition), SORT: _write(sort)}


def _row(item: Item) -> dict[str, Any]:
    return {name: _write(value) for name, value in item.items()}


def _item(row: Mapping[str, Any]) -> Item:
    return {name: _plain(_read(value)) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """Return a value of the SDK with its decimals as whole numbers."""
    match value:
        case Decimal():
            return int(value)
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value
