"""What the runs remember, in the table of DynamoDB that has the history: machines and functions share it.

One item has the content, the text of a state file, and two leases. The first is the lock: one write takes it and reads
the content, another replaces the content and gives it back. It is short, so that the next run need not wait for one
that was killed; a holder that comes late is refused as soon as another one has taken it, and has changed nothing. The
second is held while alerts are sent. Only a process that was suspended for longer than that can send one that another
has sent.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import uniform
from uuid import uuid4

from ddns_updater.errors import HistoryError, StateError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.lib.dynamodb import Changed, Item, Table, TooLarge, Update
from ddns_updater.state.content import MALFORMED, StateContent, content_of, content_text, damage

_PARTITION = "state"
_LOCK, _SENDING = 4.0, 40.0  # seconds; a run waits 5 s for the lock, and sends for 10 s at most
_WAIT = 5.0  # seconds for the lock, where nobody limits that
_PAUSES = 0.05, 0.15  # seconds between two tries, at random, so that those who wait take turns
_FREE_OR_OWN = "attribute_not_exists(#until) OR #until < :now OR #owner = :owner"
_NOBODY_SENDS = "#owner = :owner AND (attribute_not_exists(#sends_until) OR #sends_until < :now OR #sender = :sender)"


class _Lost(StateError):
    """A lease is, or has become, another one's; nothing was written."""


class StateTable:
    """The state of the runs of one table, or of what else it is `of`; one thread at a time may use it."""

    is_in_database = True

    def __init__(
        self,
        table: Table,
        database: str,
        *,
        of: str = "run",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take the table, where that is in words, and of what the item remembers many."""
        self.place = f"the state of the {of}s in {database}"
        self._table = table
        self._of = of
        self._key = f"{of}s"
        self._clock = clock
        self._sleep = sleep
        self._owner: str | None = None  # of the lock, while its content may be replaced

    @property
    def busy(self) -> StateError:
        """Return the error of a use that takes too long."""
        return StateError(f"failed to write {self.place}: AWS does not answer, or other runs hold its lock")

    def read(self) -> StateContent:
        """Return the content without waiting for a lock; raises StateError if it cannot be read."""
        with self._errors():
            item = self._table.get(_PARTITION, self._key)
        return self._content(item or {})

    @contextmanager
    def locked(self) -> Iterator[StateContent]:
        """Wait for the lease that is the lock, and yield the content, which stays as it is while nobody else has it."""
        owner = uuid4().hex
        content = self._content(self._take(owner))
        self._owner = owner
        yield content
        if self._owner == owner:  # nothing was replaced
            self._owner = None
            self._give_back({"until": 0}, "owner", owner)

    def replace(self, content: StateContent) -> None:
        """Write `content` and give the lock back; raises StateError when another one has taken it meanwhile."""
        owner, self._owner = self._owner, None
        # The owner stays, so that a write that is repeated after a lost answer is still the owner's.
        replaced = Update(
            {"content": content_text(content), "until": 0},
            condition="#owner = :owner",
            names=("owner",),
            values={"owner": owner},
        )
        self._update(replaced)

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Take the lease for sending alerts, as the owner of the lock; False when another one has either."""
        sender, now = uuid4().hex, self._clock()
        taken = Update(
            {"sender": sender, "sends_until": _milliseconds(now + _SENDING)},
            condition=_NOBODY_SENDS,
            names=("owner",),
            values={"owner": self._owner, "sender": sender, "now": _milliseconds(now)},
        )
        try:
            self._update(taken)
        except _Lost:
            yield False
            return
        yield True
        self._give_back({"sends_until": 0}, "sender", sender)

    def _take(self, owner: str) -> Item:
        """Return the item once its lease is that of `owner`."""
        wait = Deadline(_WAIT)
        while True:
            now = self._clock()
            taken = Update(
                {"owner": owner, "until": _milliseconds(now + _LOCK)},
                condition=_FREE_OR_OWN,
                values={"owner": owner, "now": _milliseconds(now)},
            )
            with suppress(_Lost):
                return self._update(taken)
            if not wait.left():
                raise self.busy
            self._sleep(uniform(*_PAUSES))  # noqa: S311 - only spreads the load

    def _give_back(self, free: Item, whose: str, token: str) -> None:
        returned = Update(free, condition=f"#{whose} = :token", names=(whose,), values={"token": token})
        with suppress(StateError):  # another one has it by now, or it ends by itself
            self._update(returned)

    def _update(self, update: Update) -> Item:
        with self._errors():
            return self._table.update(_PARTITION, self._key, update)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except Changed as error:
            raise _Lost(f"failed to write {self.place}: another run has its lock by now") from error
        except TooLarge as error:
            problem = f"failed to write {self.place}: it would have more than the 400 KB that an item may have"
            raise StateError(problem, "set DDNS_STATE_FOLDER to keep it in a file") from error
        except HistoryError as error:
            raise StateError(error.problem, error.advice, then=error.then) from error

    def _content(self, item: Item) -> StateContent:
        if "content" not in item:
            return StateContent()
        try:
            loaded = json.loads(item["content"])
            loaded["format"]
        except (*MALFORMED, RecursionError):
            return StateContent(damage=damage(self.place, self._of))
        return content_of(loaded, self.place, self._of, "upgrade, or delete that item")


def _milliseconds(time: float) -> int:
    return int(time * 1000)
