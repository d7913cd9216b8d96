r"""What IAM makes of a policy, as far as ours goes: Allow, Resource with `*`, ForAllValues:StringEquals and StringLike.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
The condition keys of a request are made by the rules of
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html, from what was sent.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

KEY = "route53:ChangeResourceRecordSets"
_NORMAL = re.compile(r"([a-z0-9_-]|\\[0-7]{3})+(\.([a-z0-9_-]|\\[0-7]{3})+)*")
_VALUES = {  # what AWS says that the values of each key have to look like
    f"{KEY}NormalizedRecordNames": _NORMAL,
    f"{KEY}RecordTypes": re.compile("A|AAAA"),
    f"{KEY}Actions": re.compile("CREATE|UPSERT|DELETE"),
}
_RESOURCES = {  # the resource that each action is about; "*" where IAM knows none
    "route53:ChangeResourceRecordSets": "hostedzone/",
    "route53:ListResourceRecordSets": "hostedzone/",
    "route53:GetHostedZone": "hostedzone/",
    "route53:GetChange": "change/",
    "route53:ListHostedZones": "*",
    "ec2:DescribeInstances": "*",
    "ssm:GetParameter": "parameter/",
}
_TABLE = r"arn:{partition}:dynamodb:(\*|[a-z0-9-]+):\*:table/[A-Za-z0-9_.-]{{3,255}}"
_ITEM_ACTIONS = {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"}
_OF_TABLES = {f"dynamodb:{each}" for each in (*_ITEM_ACTIONS, "DescribeContinuousBackups", "DescribeTable")}
_ACCOUNT = "123456789012"


_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "ForAllValues:StringEquals": lambda asked, value: asked == value,
    # `*` stands for any characters, also none and also dots; only it has that meaning in our patterns.
    "ForAllValues:StringLike": lambda asked, value: bool(
        re.fullmatch(".*".join(map(re.escape, value.split("*"))), asked)
    ),
}


class Asked(NamedTuple):
    """A request as IAM sees it: the action, the resource, and the values of each condition key."""

    action: str
    resource: str
    keys: Mapping[str, frozenset[str]] = {}


def allows(policy: Any, asked: Asked) -> bool:
    """Return whether a statement of `policy` allows the request; it has no Deny."""
    return any(
        asked.action in listed(statement["Action"])
        and any(fnmatchcase(asked.resource, pattern) for pattern in listed(statement["Resource"]))
        and all(
            all(any(_MATCHES[operator](each, value) for value in values) for each in asked.keys.get(key, ()))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
        for statement in policy["Statement"]
    )


def listed(value: str | list[str]) -> list[str]:
    """Return what may be one value or a list of them, as a list."""
    return [value] if isinstance(value, str) else value


def upsert(zone: str, names: Iterable[str], types: Iterable[str], *, action: str = "UPSERT") -> Asked:
    """Return the request of one change batch, whose names are as a client sends them."""
    keys = {
        f"{KEY}NormalizedRecordNames": frozenset(map(normalized, names)),
        f"{KEY}RecordTypes": frozenset(types),
        f"{KEY}Actions": frozenset([action]),
    }
    return Asked(KEY, f"arn:aws:route53:::hostedzone/{zone}", keys)


def normalized(name: str) -> str:
    r"""Return a name as Route 53 compares it: lower-case, no final dot, everything unusual in octal."""
    plain = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), name).lower().removesuffix(".")
    return "".join(each if re.match(r"[a-z0-9_.-]", each) else f"\\{ord(each):03o}" for each in plain)


def asked_for(operation: str, asked: str) -> Asked:
    """Return a request that the stand-in for AWS was sent: its operation, and its path, query and body."""
    path, _, body = asked.split("\n", 2)
    if f"dynamodb:{operation}" in _OF_TABLES:
        return _asked_of_table(operation, json.loads(body))
    if operation == "GetParameter":
        arn = f"arn:aws:ssm:us-east-1:123456789012:parameter/{json.loads(body)['Name'].removeprefix('/')}"
        return Asked("ssm:GetParameter", arn)
    _, kind, name, *_ = [*path.removeprefix("/2013-04-01").split("/"), "", ""]
    if operation == "ChangeResourceRecordSets":
        (action,) = set(re.findall("<Action>(.*?)</Action>", body))
        names, types = re.findall("<Name>(.*?)</Name>", body), re.findall("<Type>(.*?)</Type>", body)
        assert names
        return upsert(name, names, types, action=action)
    if operation == "ListHostedZones":
        return Asked("route53:ListHostedZones", "*")
    return Asked(f"route53:{operation}", f"arn:aws:route53:::{kind}/{name}")


def _asked_of_table(operation: str, body: Mapping[str, Any]) -> Asked:
    """Return a request for items: it is about the table, or about the index of it that it names."""
    (table,) = body["RequestItems"] if "RequestItems" in body else [body["TableName"]]
    index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
    return Asked(f"dynamodb:{operation}", f"arn:aws:dynamodb:eu-west-1:{_ACCOUNT}:table/{table}{index}")


def _form(kind: str, partition: str) -> re.Pattern[str]:
    """Return what the resources of this kind look like in a policy."""
    if kind == "*":
        return re.compile(r"\*")
    if kind == "parameter/":
        return re.compile(rf"arn:{partition}:ssm:(\*|[a-z0-9-]+):(\*|\d{{12}}):parameter/[\w.-]+(/[\w.-]+)*")
    return re.compile(rf"arn:{partition}:route53:::{re.escape(kind)}(\*|[A-Z0-9]{{1,32}})")


def complaints(policy: Any, partition: str = "aws") -> Sequence[str]:
    """Return what breaks AWS's rules in `policy`: its elements, its resources, and the values of its condition keys."""
    found = [] if set(policy) == {"Version", "Statement"} and policy["Version"] == "2012-10-17" else ["its elements"]
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow" or not set(statement) <= {"Effect", "Action", "Resource", "Condition"}:
            found.append(f"the elements of {statement}")
        for action in listed(statement["Action"]):
            if action in _OF_TABLES:
                index = "(/index/byLook)?" if action == "dynamodb:Query" else ""
                form = re.compile(_TABLE.format(partition=partition) + index)
                found += [f"{action} on {each}" for each in listed(statement["Resource"]) if not form.fullmatch(each)]
                continue
            kind = _RESOURCES.get(action, "an action that it does not need")
            form = _form(kind, partition)
            found += [f"{action} on {each}" for each in listed(statement["Resource"]) if not form.fullmatch(each)]
            if (action == KEY) != ("Condition" in statement):
                found.append(f"the condition of {action}")
        condition = statement.get("Condition", {})
        if condition and (
            sorted(key for keys in condition.values() for key in keys) != sorted(_VALUES)
            or set(condition) - set(_MATCHES)
        ):
            found.append(f"the keys of {list(condition)}")
        for operator, keys in condition.items():
            begin = "*." if operator == "ForAllValues:StringLike" else ""
            found += [
                f"{key} {each}"
                for key, values in keys.items()
                for each in values
                if not _VALUES[key].fullmatch(each.removeprefix(begin))
            ]
    return found
