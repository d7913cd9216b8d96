"""Measure the queries for the latest version and the origins, among few rows and among a million."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from benchmarks.interleaved import Row, ratio, take_turns, wall
from ddns_updater.app.factories import open_history
from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.url import DatabaseUrl
from ddns_updater.model import Family
from ddns_updater.settings.variables import default_settings

_CALLS = 20  # in a row, for one measurement


def rows(engine: str, databases: Sequence[DatabaseUrl], rounds: int, digits: int) -> Iterator[Row]:
    """Compare 10 with 10**`digits` versions of one origin, and 1,000 origins of one version with 1,000 of many."""
    sizes = {"1 x 10": (0, 1), f"1 x {10**digits:,}": (0, digits), "1,000 x 1": (3, 0)}
    sizes[f"1,000 x {10 ** (digits - 3):,}"] = (3, digits - 3)
    measures = {}
    with ExitStack() as stack:
        for url, (name, size) in zip(databases, sizes.items(), strict=True):
            history = stack.enter_context(open_history(default_settings()._replace(database=url), for_init=True))
            assert isinstance(history, SqlHistory)
            history.upgrade()
            _fill(history, *size)
            origin = history.origins()[-1].of(Family.IPV4)
            measures[f"latest, {engine}, {name}"] = partial(wall, partial(history.latest, origin), _CALLS)
            measures[f"origins, {engine}, {name}"] = partial(wall, partial(history.origins, origin.name), _CALLS)
        times = take_turns(measures, rounds)
    few, many, few_each, many_each = sizes
    for what in (f"latest, {engine}", f"origins, {engine}"):
        yield ratio(times, f"{what}, {many}", f"{what}, {few}", "1.20")
        yield ratio(times, f"{what}, {many_each}", f"{what}, {few_each}", "1.20")


def _fill(history: SqlHistory, origins: int, versions: int) -> None:
    """Insert 10**`versions` versions of each of 10**`origins` origins, each with a name of its own.

    The rows are in the order of origins, so that the newest versions lie as far apart as possible.
    """
    digits = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))
    origin = "".join(f" + o{place}.n * {10**place}" for place in range(origins))
    version = "".join(f" + v{place}.n * {10**place}" for place in range(versions))
    tables = [f"d AS o{place}" for place in range(origins)] + [f"d AS v{place}" for place in range(versions)]
    with history.transaction():
        history.execute(
            f"INSERT INTO admin_ip_history (ip, name, originId, version) WITH d AS ({digits})"
            f" SELECT '192.0.2.7', CAST(1{origin} AS CHAR), 1{origin}, 1{version}"
            f" FROM {', '.join(tables)} ORDER BY 3, 4"
        )
