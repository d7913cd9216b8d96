"""The least-privilege IAM policy for the configured records and address sources.

It covers a run and `ddns doctor`, which always reads the hosted zones; a run does so only sometimes.

Conditions: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
Limits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ddns_updater.errors import SettingsError
from ddns_updater.model import Record
from ddns_updater.settings.settings import Settings
from ddns_updater.sources.spec import Ec2Spec

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
_MAX_MANAGED, _MAX_INLINE = 6_144, 10_240  # characters without white space
_ANY = "*"  # every zone of the account
_KEY = "route53:ChangeResourceRecordSets"

Document = dict[str, Any]
_Names = dict[str, dict[str, tuple[str, ...]]]  # names by zone and record type


def policy_of(settings: Settings, partition: str = "aws") -> Document:
    """Return the policy document; raises SettingsError when no AWS permission is needed."""
    statements = _route53(settings, partition) if settings.record_sets else []
    if any(isinstance(spec, Ec2Spec) for spec in settings.ip_sources):
        statements.append(_allow(["ec2:DescribeInstances"], ["*"]))  # it cannot be limited to one instance
    if not statements:
        raise SettingsError(
            "no AWS permission is needed: DDNS_RECORDS is not set and no address source is ec2:",
            "set DDNS_RECORDS to get a policy",
            settings=("DDNS_RECORDS",),
        )
    return {"Version": "2012-10-17", "Statement": statements}


def policy_text(wanted: Document) -> str:
    """Return `wanted` as JSON text to paste."""
    return json.dumps(wanted, indent=2)


class Remarks(NamedTuple):
    """What the operator should know of a policy, one line each."""

    notes: list[str]
    warnings: list[str]


def remarks(settings: Settings, wanted: Document) -> Remarks:
    """Return what the operator should know about `wanted`."""
    found = Remarks([], [])
    if _searches_all_zones(settings):
        found.notes.append(
            "some records have no zone set, so the policy allows these names in every hosted zone of the account;"
            " set DDNS_HOSTED_ZONE_ID, or write NAME=ZONEID in DDNS_RECORDS, and print it again"
        )
    size = len(json.dumps(wanted, separators=(",", ":")))
    if size > _MAX_MANAGED:
        role = f" embed it in a role (at most {_MAX_INLINE}), or" if size <= _MAX_INLINE else ""
        found.warnings.append(
            f"the policy has {size} characters, more than the {_MAX_MANAGED} of a managed policy;{role}"
            " print a policy for the records of each hosted zone and attach them all"
        )
    return found


def condition_name(name: str) -> str:
    r"""Return a record name as the condition key spells it: `\052` for `*`; letters, digits, `-`, `_` and `.` stay."""
    return re.sub(r"[^a-z0-9_.-]", lambda match: f"\\{ord(match[0]):03o}", name)


def _searches_all_zones(settings: Settings) -> bool:
    return not settings.hosted_zone_ids and not all(settings.record_sets.values())


def _route53(settings: Settings, partition: str) -> list[Document]:
    listed = _searches_all_zones(settings)
    names = _names_by_zone(settings, settings.record_sets)
    changes = [
        _allow([_KEY], _zones(zones, partition), list(inside), list(types))
        for (inside, types), zones in _grouped(names).items()
    ]
    zones = [_ANY] if listed else list(names)  # that pattern covers the others
    return [
        *changes,
        _allow(["route53:GetHostedZone", "route53:ListResourceRecordSets"], _zones(zones, partition)),
        _allow(["route53:GetChange"], [f"arn:{partition}:route53:::change/*"]),
        *([_allow(["route53:ListHostedZones"], ["*"])] if listed else []),
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
        condition = {f"{_KEY}NormalizedRecordNames": names, f"{_KEY}RecordTypes": types, f"{_KEY}Actions": ["UPSERT"]}
        statement["Condition"] = {"ForAllValues:StringEquals": condition}
    return statement


def _short(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
