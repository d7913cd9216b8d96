"""An address source that reads a file, which another program keeps up to date: `file:/path`."""

from codecs import BOM_UTF8

from ddns_updater.errors import SourceError
from ddns_updater.lib.trust import Distrusted, check_path
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import FileSpec

_MAX_BYTES = 128


class FileSource:
    """One file that holds one address and nothing else."""

    def __init__(self, spec: FileSpec) -> None:
        """Take where the file is."""
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._path = spec.path

    def fetch(self, family: Family) -> Address:
        """Return the address in the file; raises SourceError when it cannot be read or holds anything else.

        The file may belong to another user, whose program writes it, but nobody else may have written it.
        """
        try:
            check_path(self._path, given=True)
            with self._path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except Distrusted as error:
            raise SourceError(f"cannot be trusted: {error.problem}", error.advice) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if len(content) > _MAX_BYTES:
            raise SourceError("holds more than an address")
        return public_address(content.removeprefix(BOM_UTF8).decode("ascii", "replace"), family)
