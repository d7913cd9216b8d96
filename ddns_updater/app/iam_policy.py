"""The least-privilege IAM policy for the configured records, the hosts of the update endpoint, sources and parameters.

It covers a run, `ddns serve` and `ddns doctor`, which always reads the hosted zones; a run does so only sometimes.

Conditions: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
Limits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ddns_updater.app import factories
from ddns_updater.app.database import answer_limit
from ddns_updater.errors import HistoryError, NotInitialised, SettingsError
from ddns_updater.history.sql_origins import of_host_tables
from ddns_updater.history.url import DynamoDbUrl
from ddns_updater.lib.humanize import listed
from ddns_updater.model import Family, Record
from ddns_updater.settings.settings import Settings
from ddns_updater.sources.spec import Ec2Spec

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
_MAX_MANAGED, _MAX_INLINE = 6_144, 10_240  # characters without white space
_MAX_NAMED = 3  # patterns
_ANY = "*"  # every zone of the account
_KEY = "route53:ChangeResourceRecordSets"
_NAMES = f"{_KEY}NormalizedRecordNames"
_LIKE, _EQUAL = "ForAllValues:StringLike", "ForAllValues:StringEquals"

_ITEMS = (
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)

Document = dict[str, Any]
_Names = dict[str, dict[str, tuple[str, ...]]]  # names by zone and record type


def host_names(settings: Settings) -> tuple[Sequence[str], str | None]:
    """Return the names of all hosts, and a warning when the database does not tell them."""
    if "DDNS_DATABASE_URL" in settings.parameters:
        return (), (
            "neither hosts of the update endpoint nor a table of DynamoDB are in the policy, for they are unknown:"
            " DDNS_DATABASE_URL_PARAMETER is not read for it; set DDNS_DATABASE_URL instead, and print it again"
        )
    try:
        with answer_limit(settings), factories.open_hosts(settings, read_only=True) as hosts:
            return hosts.names(), None
    except NotInitialised:
        return (), None
    except HistoryError as error:
        if of_host_tables(error):
            return (), None
        return (), f"hosts of the update endpoint are not in the policy, for they are unknown: {error.problem}"


def policy_of(settings: Settings, partition: str = "aws", hosts: Sequence[str] = ()) -> Document:
    """Return the policy document; `hosts` are the names of hosts. Raises SettingsError when no permission is needed.

    Where the names of hosts do not fit a managed policy, name patterns stand for them, as narrow as fit.
    """
    policy = _document(settings, partition, hosts)
    for patterns in _patterns(hosts):
        if _size(policy) <= _MAX_MANAGED:
            break
        policy = _document(settings, partition, patterns)
    return policy


def _document(settings: Settings, partition: str, hosts: Sequence[str]) -> Document:
    statements = _route53(settings, partition, hosts) if settings.record_sets or hosts else []
    if any(isinstance(spec, Ec2Spec) for spec in settings.ip_sources):
        statements.append(_allow(["ec2:DescribeInstances"], ["*"]))  # it cannot be limited to one instance
    if isinstance(settings.database, DynamoDbUrl):
        statements += _table(settings.database, partition)
    if settings.parameters:
        statements.append(_allow(["ssm:GetParameter"], sorted({*_parameters(settings, partition)})))
    if not statements:
        raise SettingsError(
            "no AWS permission is needed: DDNS_RECORDS is not set, there is no host, no address source is ec2:, the"
            " database is not DynamoDB, and no parameter holds a setting",
            "set DDNS_RECORDS to get a policy",
            settings=("DDNS_RECORDS",),
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _table(url: DynamoDbUrl, partition: str) -> list[Document]:
    """Return the statements for the table, which `init` must have made: what makes it is nothing that a run needs."""
    arn = f"arn:{partition}:dynamodb:{url.region or '*'}:*:table/{url.table}"
    return [
        _allow(["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", *_ITEMS], [arn]),
        _allow(["dynamodb:Query"], [f"{arn}/index/byLook"]),
    ]


def _parameters(settings: Settings, partition: str) -> Iterator[str]:
    for name in settings.parameters.values():
        is_arn = name.startswith("arn:")
        yield name if is_arn else f"arn:{partition}:ssm:*:*:parameter/{name.removeprefix('/')}"


def policy_text(wanted: Document) -> str:
    """Return `wanted` as JSON text to paste."""
    return json.dumps(wanted, indent=2)


class Remarks(NamedTuple):
    """What the operator should know of a policy, one line each."""

    notes: list[str]
    warnings: list[str]


def remarks(settings: Settings, wanted: Document, hosts: Sequence[str] = ()) -> Remarks:
    """Return what the operator should know about `wanted`, the policy with these hosts."""
    found = Remarks([], [])
    if patterns := _patterns_in(wanted):
        found.notes.append(
            f"the names of {len(hosts)} hosts do not fit a policy, so it allows every name like"
            f" {listed(patterns, _MAX_NAMED)}, which is wider"
        )
    if not settings.hosted_zone_ids and hosts:
        found.notes.append(
            "hosts have no zone set, so the policy allows their names in every hosted zone of the account;"
            " set DDNS_HOSTED_ZONE_ID, and print it again"
        )
    elif _searches_all_zones(settings):
        found.notes.append(
            "some records have no zone set, so the policy allows these names in every hosted zone of the account;"
            " set DDNS_HOSTED_ZONE_ID, or write NAME=ZONEID in DDNS_RECORDS, and print it again"
        )
    if settings.parameters:
        found.notes.append(
            "a parameter encrypted with a key of your own, instead of aws/ssm, needs kms:Decrypt on that key too"
        )
    size = _size(wanted)
    if size > _MAX_MANAGED:
        role = f" embed it in a role (at most {_MAX_INLINE}), or" if size <= _MAX_INLINE else ""
        found.warnings.append(
            f"the policy has {size} characters, more than the {_MAX_MANAGED} of a managed policy;{role}"
            " print a policy for the records of each hosted zone and attach them all"
        )
    return found


def _size(wanted: Document) -> int:
    """Return the number of characters of a policy that count."""
    return len(json.dumps(wanted, separators=(",", ":")))


def _patterns(names: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield patterns that stand for `names`, wider ones each time: first `*.b.c.d` for all `a.b.c.d`, then `*.c.d`.

    None stands for a name of two labels, which may be a zone's own, nor for all of a top-level domain.
    """
    exact = [name for name in names if name.count(".") < 2]
    parents = {name.partition(".")[2] for name in names if name.count(".") >= 2}
    while parents:
        widest = {each for each in parents if not any(each.endswith(f".{other}") for other in parents)}
        yield [*sorted(exact), *(f"*.{parent}" for parent in sorted(widest))]
        deepest = max(parent.count(".") for parent in parents)
        if deepest < 2:
            return
        parents = {each.partition(".")[2] if each.count(".") == deepest else each for each in parents}


def _patterns_in(wanted: Document) -> list[str]:
    conditions = [statement.get("Condition", {}).get(_LIKE, {}) for statement in wanted["Statement"]]
    return [name for condition in conditions for name in condition.get(_NAMES, ()) if "*" in name]


def condition_name(name: str) -> str:
    r"""Return a record name as the condition key spells it: `\052` for `*`; letters, digits, `-`, `_` and `.` stay."""
    return re.sub(r"[^a-z0-9_.-]", lambda match: f"\\{ord(match[0]):03o}", name)


def _searches_all_zones(settings: Settings) -> bool:
    return not settings.hosted_zone_ids and not all(settings.record_sets.values())


def _route53(settings: Settings, partition: str, hosts: Sequence[str]) -> list[Document]:
    """Return the statements for the records and for `hosts`, which are names or patterns of them."""
    may_list = _searches_all_zones(settings) or bool(hosts and not settings.hosted_zone_ids)
    names = _names_by_zone(settings, settings.record_sets)
    of_hosts = list(settings.hosted_zone_ids or (_ANY,)) if hosts else []
    changes = [
        _allow([_KEY], _zones(zones, partition), list(inside), list(types))
        for (inside, types), zones in _grouped(names).items()
    ]
    if hosts:
        # ddns serve sends both types of all hosts in one batch, which one statement must allow.
        types = [family.record_type for family in Family]
        changes.append(_allow([_KEY], _zones(of_hosts, partition), [*map(_host_name, hosts)], types))
    zones = [_ANY] if may_list else list(dict.fromkeys([*names, *of_hosts]))  # that pattern covers the others
    return [
        *changes,
        _allow(["route53:GetHostedZone", "route53:ListResourceRecordSets"], _zones(zones, partition)),
        _allow(["route53:GetChange"], [f"arn:{partition}:route53:::change/*"]),
        *([_allow(["route53:ListHostedZones"], ["*"])] if may_list else []),
    ]


def _names_by_zone(settings: Settings, records: Mapping[Record, str | None]) -> _Names:
    """Return the names that may be changed in each zone; an unpinned name may be in any zone that is searched."""
    free = [record for record, pin in records.items() if not pin]
    searched = (settings.hosted_zone_ids or (_ANY,)) if free else ()
    names: _Names = {}
    for zone in dict.fromkeys([*searched, *filter(None, records.values())]):
        inside = [record for record, pin in records.items() if pin == zone]
        if zone in searched or _ANY in searched:
            inside += free
        names[zone] = {
            family.record_type: tuple(
                sorted(condition_name(name) for name, kind in inside if kind == family.record_type)
            )
            for family in settings.ip_families
        }
    return names


def _grouped(names: _Names) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]]:
    """Return the zones grouped by the names and types that may be changed in them.

    A run sends all due names of one type in a zone as one batch, and one statement must allow the whole batch. So each
    type has one statement with all its names.
    """
    grouped: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for zone, by_type in names.items():
        types: dict[tuple[str, ...], list[str]] = {}
        for kind, inside in by_type.items():
            if inside and (zone == _ANY or inside != names.get(_ANY, {}).get(kind)):
                types.setdefault(inside, []).append(kind)
        for inside, kinds in types.items():
            grouped.setdefault((inside, tuple(kinds)), []).append(zone)
    return grouped


def _zones(ids: Iterable[str], partition: str) -> list[str]:
    return [f"arn:{partition}:route53:::hostedzone/{zone}" for zone in ids]


def _allow(
    actions: list[str], resources: list[str], names: list[str] | None = None, types: list[str] | None = None
) -> Document:
    statement: Document = {"Effect": "Allow", "Action": _short(actions), "Resource": _short(resources)}
    if names:
        rest = {f"{_KEY}RecordTypes": types, f"{_KEY}Actions": ["UPSERT"]}
        has_patterns = any("*" in name for name in names)
        statement["Condition"] = (
            {_LIKE: {_NAMES: names}, _EQUAL: rest} if has_patterns else {_EQUAL: {_NAMES: names} | rest}
        )
    return statement


def _host_name(name: str) -> str:
    """Return the name of a host, or a pattern such as `*.example.com`, as the condition key spells it."""
    begin = "*" if name.startswith("*") else ""
    return begin + condition_name(name.removeprefix(begin))


def _short(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
