"""How long the machine has been running, by a clock that nobody sets."""

import time
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Uptime(NamedTuple):
    """What tells one boot of the machine from others, and the seconds since then, those asleep included."""

    boot: str
    seconds: float


def uptime() -> Uptime | None:
    """Return the uptime; None where the system does not tell it, as all but Linux."""
    try:
        return Uptime(_BOOT_ID.read_text().strip(), time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return None
