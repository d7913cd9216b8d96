"""The errors of this program, each with its exit status.

    DdnsError                 1   an error caused from outside the program
    ├── SettingsError         2   a setting or an option is wrong
    │   ├── OriginError       2   --name or DDNS_NAME matches no origin, or is needed to choose one
    │   └── HostError         2   a host of the update endpoint is unknown, or cannot be added
    ├── ParameterError        1   a parameter of AWS Systems Manager cannot be read; it ends as a SettingsError
    ├── SourceError           1   an address source gave no trustworthy address
    │   ├── NotRunning        1   the machine that has the address is not running; a run is then off, with status 0
    │   ├── UnusableAnswer    1   what it answered is not one public address
    │   │   └── CarrierGradeNat   1   the line shares a public IPv4 address with other customers
    │   └── Disagreement      1   sources contradict one another, or no second source confirms the address
    ├── HistoryError          1   the database could not be used
    │   ├── NotInitialised    1   the table or the origin is missing: run `ddns init` first
    │   ├── VersionTaken      1   another writer has appended that version
    │   └── ConnectionLost    1   the database session ended, and with it its locks
    ├── DnsError              1   the DNS provider refused, failed or holds something else
    │   └── NoHostedZone      1   no hosted zone, or none that is asked by resolvers, or more than one, takes a name
    ├── AlertError            1   an alert or a heartbeat could not be sent
    ├── StateError            1   the state file, or another file written after a run, could not be used
    ├── ServerError           1   the update endpoint cannot listen
    └── Stopped               1   a signal or the time limit of the run stopped it

An exception outside this tree is a bug and keeps its traceback. `InvalidValue` never leaves the program: whoever knows
which setting or option holds the value makes a SettingsError of it.
"""

from collections.abc import Sequence

NEXT_RUN = "the next run tries again"


class DdnsError(Exception):
    """Report to the operator what failed and why, and what to do.

    `problem` is what failed and why, `advice` what the operator should do about it, and `then` what the program itself
    does next, such as "the next run tries again". The text of the error is all of them, in one line.
    """

    exit_code = 1

    def __init__(self, problem: str, advice: str | None = None, *, then: str | None = None) -> None:
        super().__init__(problem, advice, then)
        self.problem = problem
        self.advice = advice
        self.then = then

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.problem, self.advice, self.then)))


class SettingsError(DdnsError):
    """Report wrong settings or options, before anything was done.

    `settings` are the variables at fault; it is empty for an option, and for a fault that can affect any variable.
    """

    exit_code = 2

    def __init__(self, problem: str, advice: str | None = None, *, settings: Sequence[str] = ()) -> None:
        super().__init__(problem, advice)
        self.settings = tuple(settings)


class InvalidValue(ValueError):
    """Say why a text is not a valid value; `problem` continues a sentence that starts with what holds the text."""

    def __init__(self, problem: str, advice: str | None = None) -> None:
        super().__init__(problem, advice)
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.problem, self.advice)))


class OriginError(SettingsError):
    """Report that the origin to use is missing or ambiguous."""


class HostError(SettingsError):
    """Report that a host of the update endpoint is unknown, or cannot be added."""


class ParameterError(DdnsError):
    """Report that a parameter of AWS Systems Manager cannot be read; `problem` continues a sentence about it."""


class SourceError(DdnsError):
    """Report that an address source gave no trustworthy address."""


class NotRunning(SourceError):
    """Report that the machine that has the address is not running, and has none until it is: for a run no failure."""


class UnusableAnswer(SourceError):
    """Report that a source answered something other than one public address.

    `answer` is what it answered and why that is unusable, such as "10.0.0.1, which is not a public address".
    """

    def __init__(self, answer: str, advice: str | None = None) -> None:
        super().__init__(f"answered {answer}", advice)
        self.answer = answer


class CarrierGradeNat(UnusableAnswer):
    """Report that the provider shares one public address among customers (carrier-grade NAT)."""


class Disagreement(SourceError):
    """Report that sources contradict one another, or that no second source confirms the address."""


class HistoryError(DdnsError):
    """Report that the database could not be used."""


class NotInitialised(HistoryError):
    """Report that `ddns init` has not been run on this database."""


class VersionTaken(HistoryError):
    """Report that the version to append exists already."""


class ConnectionLost(HistoryError):
    """Report that the database session ended, and with it its locks: what was read under them may be out of date."""


class NoAnswer(HistoryError):
    """Report that the database did not answer, whatever was tried: another question now would fare no better."""


class DnsError(DdnsError):
    """Report that the DNS provider refused, failed or holds something else."""


class NoHostedZone(DnsError):
    """Report that no hosted zone takes a name, or that it cannot be told which one does."""


class AlertError(DdnsError):
    """Report that a channel did not accept an alert or a heartbeat.

    `again` is whether a later try may succeed, `seconds` the pause that the channel asks for.
    """

    def __init__(self, problem: str, advice: str | None = None, *, again: bool = True, seconds: int = 0) -> None:
        super().__init__(problem, advice)
        self.again = again
        self.seconds = seconds


class StateError(DdnsError):
    """Report that the state file, or another file written after a run, could not be used."""


class ServerError(DdnsError):
    """Report that the update endpoint cannot listen."""


class Stopped(DdnsError):
    """Report that a signal or a time limit stopped the run."""
