"""An open connection to an SQL database; the engines differ in connecting, locking, dialect and error codes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, ClassVar

from ddns_updater.history.queries import Dialect
from ddns_updater.history.rows import time_of


class SqlConnection(ABC):
    """One open connection; its public methods raise HistoryError when the database fails, unless they say otherwise."""

    engine: ClassVar[str]  # the name of its folder of migrations
    dialect: ClassVar[Dialect]
    has_own_clock: ClassVar[bool]

    def __init__(self, connection: Any, database: str) -> None:
        """Take an open connection to `database`."""
        self._connection = connection
        self.database = database

    @property
    def place(self) -> str:
        """Return where the database is, without secrets."""
        return self.database

    def now(self) -> datetime:
        """Return the time by the database's clock, in whole seconds."""
        with self.errors():
            return time_of(self.execute(f"SELECT {self.dialect.now}").fetchone()[0])

    @abstractmethod
    def answers(self) -> bool:
        """Return whether the connection works and may be kept for another run."""

    def is_usable(self) -> bool:
        """Return whether it may be used again at once, by a server that asks for little at a time."""
        return self.answers()

    @abstractmethod
    def reconnect(self) -> None:
        """Open a new connection in place of one that was lost, as ConnectionLost says."""

    def close(self) -> None:
        """Close the connection, which releases its locks."""
        self._connection.close()

    # What each engine does in its own way

    @abstractmethod
    def connect(self) -> Any:
        """Open one more connection of the same kind; raises the driver's own exceptions."""

    @abstractmethod
    def _lock(self, key: str) -> AbstractContextManager[bool]:
        """Take the lock `key` without waiting; yield False when it is taken. It ends with the process at the latest."""

    @abstractmethod
    def has_table(self, name: str) -> bool:
        """Return whether the database holds a table `name`."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Make the statements in the block one transaction."""

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement with `?` for its values and return the cursor."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for every row of values."""

    def quoted(self, text: str) -> str:
        """Return `text` as a literal in SQL for the operator to paste."""
        return "'" + text.replace("'", "''") + "'"

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Translate the driver's exceptions in the block into HistoryError."""

    @abstractmethod
    def is_duplicate(self, error: BaseException | None) -> bool:
        """Return whether a driver's exception says that a unique key was violated."""

    def is_denied(self, error: BaseException | None) -> bool:  # noqa: ARG002 - SQLite has no accounts
        """Return whether a driver's exception says that the account lacks a right."""
        return False

    def is_conflict(self, error: BaseException | None) -> bool:
        """Return whether a driver's exception says that another writer was first; the transaction can be repeated."""
        return self.is_duplicate(error)

    @abstractmethod
    def check_statements(self, statements: Sequence[str]) -> None:
        """Raise HistoryError when the database refuses one of `statements`; nothing is written."""
