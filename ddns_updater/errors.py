"""The errors of this program, each with the exit status it leads to.

    DdnsError                 1   anything a person or another machine can cause
    ├── SettingsError         2   a setting or an option has to be mended first
    │   └── OriginError       2   --name (or DDNS_NAME) names no origin, or does not say which
    ├── SourceError           1   an address source gave no trustworthy address
    │   ├── CarrierGradeNat   1   the line has no public IPv4 address of its own
    │   └── Disagreement      1   sources contradict one another, or the one that had to second is missing
    ├── HistoryError          1   the database did not do what was asked
    │   ├── NotInitialised    1   there is no table, or no origin in it: `ddns init` comes first
    │   └── VersionTaken      1   another writer appended that version in the meantime
    ├── DnsError              1   the DNS provider did not do what was asked
    ├── AlertError            1   somebody could not be told
    ├── StateError            1   what is remembered of the runs could not be read or written
    └── Stopped               1   a signal or the run's time limit ended the work in hand

An exception outside this tree is a bug and keeps its traceback.
"""


class DdnsError(Exception):
    """Carry one line for the operator: what failed, its cause, what to do."""

    exit_code = 1


class SettingsError(DdnsError):
    """Report settings or options that cannot be used; nothing has been done yet."""

    exit_code = 2


def missing_extra(what: str, extra: str) -> SettingsError:
    """Return the error of something that needs a package which not everybody needs."""
    return SettingsError(f"{what} needs the extra {extra}; in the checkout, run pipx install --force '.[{extra}]'")


class OriginError(SettingsError):
    """Report that it is not clear which origin is meant."""


class SourceError(DdnsError):
    """Report that an address source gave no address that can be trusted."""


class CarrierGradeNat(SourceError):
    """Report that the provider shares one public address among customers."""


class Disagreement(SourceError):
    """Report that the address is in doubt, because sources do not agree on it."""


class HistoryError(DdnsError):
    """Report that the database could not be used."""


class NotInitialised(HistoryError):
    """Report that `ddns init` has not been run on this database."""


class VersionTaken(HistoryError):
    """Report that the version to be appended exists already."""


class DnsError(DdnsError):
    """Report that the DNS provider refused, failed or holds something else."""


class AlertError(DdnsError):
    """Report that a channel did not take what it was to be told.

    `again` tells whether a later try may help, `seconds` how long the channel asks to be left alone.
    """

    def __init__(self, message: str, *, again: bool = True, seconds: int = 0) -> None:
        super().__init__(message)
        self.again = again
        self.seconds = seconds


class StateError(DdnsError):
    """Report that the diary of the runs, or another file written after a run, could not be used."""


class Stopped(DdnsError):
    """Report that the work in hand was ended by a signal or a time limit."""
