"""Where what the runs remember is kept, as those who use it see it."""

from contextlib import AbstractContextManager
from typing import Protocol

from ddns_updater.errors import StateError
from ddns_updater.state.content import StateContent


class StateStore(Protocol):
    """The state of the runs, or of the sweeps, of one database."""

    @property
    def place(self) -> str:
        """Return where it is kept, in words."""

    @property
    def is_in_database(self) -> bool:
        """Return whether the database keeps it: machines share it then, and a backup of the one has the other."""

    @property
    def busy(self) -> StateError:
        """Return the error of a use that takes too long."""

    def read(self) -> StateContent:
        """Return the content without waiting for a lock; raises StateError if it cannot be read."""

    def locked(self) -> AbstractContextManager[StateContent]:
        """Wait for the lock, and yield the content that it has until `replace`; raises StateError.

        One thread at a time may hold it.
        """

    def replace(self, content: StateContent) -> None:
        """Write `content`, which `locked` gave, once at the end of its block; raises StateError, with nothing written.

        It may give the lock back.
        """

    def sending(self) -> AbstractContextManager[bool]:
        """Take the lock for sending alerts, in the block of `locked` and before `replace`; False when another has it.

        Raises StateError.
        """
