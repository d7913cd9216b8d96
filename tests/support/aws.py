"""Moto's Route 53 and DynamoDB over HTTP on loopback, with faults before them: no answer, errors, lost answers."""

import io
import logging
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from threading import Event, Lock, Thread
from typing import Any

import boto3
import requests
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_PATTERNS = (
    ("GET", r"/hostedzone/?", "ListHostedZones"),
    ("GET", r"/hostedzone/[^/]+", "GetHostedZone"),
    ("GET", r"/hostedzone/[^/]+/rrset/?", "ListResourceRecordSets"),
    ("POST", r"/hostedzone/[^/]+/rrset/?", "ChangeResourceRecordSets"),
    ("GET", r"/change/[^/]+", "GetChange"),
)
_ONLY_CHANGE_ID = b"C2682N5HXP0BZ4"  # moto gives this one to every change
_TESTER = "the-test-itself"
OF_TESTS = Config(user_agent_extra=_TESTER)  # of clients whose calls meet no fault and are not counted

Environ = dict[str, Any]
Forward = Callable[[], bytes]
Fault = Callable[["Call"], bytes]
Limit = Callable[["Call", Fault], bytes]


class Call:
    """One request to AWS; `forward` lets it through and returns moto's answer."""

    def __init__(self, operation: str, body: str, environ: Environ, forward: Forward) -> None:
        self.operation = operation
        self.body = body
        self.asked = "\n".join((environ["PATH_INFO"], environ["QUERY_STRING"], body))
        self.environ = environ
        self.forward = forward
        self.status = "200 OK"
        self.headers = [("Content-Type", "text/xml")]

    def pass_on(self) -> bytes:
        """Let it through."""
        return self.forward()


class FakeAws:
    """`calls` are the operations asked for, in order; `faults` are tried in order, each as often as it says.

    `asked` has the path, query and body of each call, `elsewhere` the action of each call to another service, such as
    `ec2:DescribeInstances`. What moto lacks is added: names are stored as AWS does, lower-case and with `*` as
    `\\052`, every change has an ID of its own, an address that is none is refused, and calls are done one at a time, so
    that no other one comes between a condition and its write.
    """

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.calls: list[str] = []
        self.bodies: list[str] = []
        self.asked: list[str] = []
        self.elsewhere: list[str] = []
        self.limit: Limit = _unlimited  # what stands before the faults
        self._faults: list[list[Any]] = []
        self.next_change_id = "C1"
        self._released = Event()
        self._one_at_a_time = Lock()  # moto looks at a condition and writes in two steps
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True, request_handler=MotoRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.client = boto3.client(
            "route53",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=OF_TESTS,
        )

    def reset(self) -> None:
        """Forget all zones, calls, faults and limits, and let hanging calls go."""
        self.limit = _unlimited
        self._released.set()
        self._released = Event()
        self.calls.clear()
        self.bodies.clear()
        self.asked.clear()
        self.elsewhere.clear()
        self._faults.clear()
        requests.post(f"{self.url}/moto-api/reset", headers={"User-Agent": _TESTER}, timeout=10).raise_for_status()

    def stop(self) -> None:
        """End the server."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def fault(self, operation: str, fault: Fault, *, times: int = 10**6, containing: str = "", after: int = 0) -> None:
        """Do `fault` at `times` calls of `operation` that contain a text anywhere, after the first `after` of them."""
        self._faults.append([operation, containing, after, times, fault])

    def heal(self) -> None:
        """Take away all faults."""
        self._released.set()
        self._released = Event()
        self._faults.clear()

    def count(self) -> Counter[str]:
        """Return how often each operation was asked for."""
        return Counter(self.calls)

    def zone(self, name: str = "example.com", *, private: bool = False) -> str:
        """Make a hosted zone and return its ID."""
        options: dict[str, Any] = {"HostedZoneConfig": {"PrivateZone": private}} if private else {}
        if private:
            options["VPC"] = {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}
        answer = self.client.create_hosted_zone(Name=name, CallerReference=f"{name}-{len(self.calls)}", **options)
        return str(answer["HostedZone"]["Id"]).rpartition("/")[2]

    def put(self, zone_id: str, *record_sets: dict[str, Any]) -> None:
        """Write record sets as they are given."""
        for start in range(0, len(record_sets), 400):
            changes: Any = [
                {"Action": "UPSERT", "ResourceRecordSet": each} for each in record_sets[start : start + 400]
            ]
            self.client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})

    def put_address(self, zone_id: str, name: str, address: str, ttl: int = 60, kind: str = "A") -> None:
        """Write one plain record set."""
        self.put(zone_id, {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": address}]})

    def delete(self, zone_id: str, name: str, kind: str = "A") -> None:
        """Delete one record set."""
        record_set: Any = self.record_sets(zone_id)[(name, kind)]
        self.client.change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record_set}]}
        )

    def record_sets(self, zone_id: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what the zone holds by name (as AWS writes it, less the final dot) and type."""
        pages = self.client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        return {
            (each["Name"].removesuffix("."), each["Type"]): dict(each)
            for page in pages
            for each in page["ResourceRecordSets"]
        }

    def address(self, zone_id: str, name: str = "home.example.com", kind: str = "A") -> str | None:
        """Return the one value of a record set, None when there is no such set."""
        found = self.record_sets(zone_id).get((name, kind))
        return found["ResourceRecords"][0]["Value"] if found else None

    def hang(self, call: Call) -> bytes:
        """Answer nothing until the fault is taken away."""
        self._released.wait(120)
        return cut(call)

    def _application(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        operation = _operation(environ)
        if _TESTER in environ.get("HTTP_USER_AGENT", ""):
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if operation is None:
            self.elsewhere += _queried(environ, body.decode())
            environ["wsgi.input"] = io.BytesIO(body)
            return self._moto(environ, start_response)  # type: ignore[no-any-return]

        def forward() -> bytes:
            answered: list[Any] = []
            stored = _as_stored(r"(?<=<Name>)[^<]*", call.body).encode()
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(stored), str(len(stored))
            environ["QUERY_STRING"] = _as_stored(r"(?<=\bname=)[^&]*", environ["QUERY_STRING"])
            with self._one_at_a_time:
                chunks = self._moto(environ, lambda status, headers, *_: answered.extend((status, headers)))
                answer = b"".join(chunks)
            call.status = answered[0]
            call.headers += [each for each in answered[1] if each[0].lower() == "x-amzn-requestid"]
            if _ONLY_CHANGE_ID in answer:
                answer = answer.replace(_ONLY_CHANGE_ID, self.next_change_id.encode())
                self.next_change_id = f"C{int(self.next_change_id[1:]) + 1}"
            return answer

        call = Call(operation, body.decode(), environ, forward)
        self.calls.append(operation)
        self.bodies.append(call.body)
        self.asked.append(call.asked)
        answer = self.limit(call, self._fault_for(call))
        start_response(call.status, [*call.headers, ("Content-Length", str(len(answer)))])
        return [answer]

    def _fault_for(self, call: Call) -> Fault:
        for rule in self._faults:
            operation, containing, after, times, fault = rule
            if operation == call.operation and containing in call.asked and times > 0:
                if after > 0:
                    rule[2] -= 1
                    break
                rule[3] -= 1
                return fault  # type: ignore[no-any-return]
        illegal = _illegal_address(call)
        return refuse("InvalidChangeBatch", illegal) if illegal else Call.pass_on


def _unlimited(call: Call, fault: Fault) -> bytes:
    return fault(call)


def refuse(code: str, message: str = "no", status: int = 400) -> Fault:
    """Return a fault that answers with an error of AWS's."""

    def fault(call: Call) -> bytes:
        call.status = f"{status} Error"
        return (
            f'<?xml version="1.0"?><ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        ).encode()

    return fault


def refuse_item(code: str, message: str = "no") -> Fault:
    """Return a fault that answers with an error of DynamoDB's."""

    def fault(call: Call) -> bytes:
        call.status = "400 Bad Request"
        call.headers.append(("x-amzn-RequestId", "r"))
        return f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "{message}"}}'.encode()

    return fault


def answering(body: str, status: str = "200 OK") -> Fault:
    """Return a fault that answers what AWS would not."""

    def fault(call: Call) -> bytes:
        call.status = status
        return body.encode()

    return fault


def cut(call: Call) -> bytes:
    """Close the connection without an answer."""
    call.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return b""


def lose_answer(call: Call) -> bytes:
    """Do what is asked and close the connection without an answer."""
    call.forward()
    return cut(call)


def pending(call: Call) -> bytes:
    """Answer that the change is not in sync yet."""
    return call.forward().replace(b"INSYNC", b"PENDING")


def replacing(old: str, new: str) -> Fault:
    """Return a fault that lets the call through and changes the text of the answer."""
    return lambda call: call.forward().replace(old.encode(), new.encode())


def _illegal_address(call: Call) -> str | None:
    """Return what AWS says of the first value that is no address of its record's type."""
    if call.operation != "ChangeResourceRecordSets":
        return None
    for kind, rest in re.findall(r"(?s)<Type>(A|AAAA)</Type>(.*?)</ResourceRecordSet>", call.body):
        for value in re.findall(r"<Value>(.*?)</Value>", rest):
            try:
                good = ip_address(value).version == (4 if kind == "A" else 6)
            except ValueError:
                good = False
            if not good:
                family = "IPv4" if kind == "A" else "IPv6"
                return (
                    f"[Invalid Resource Record: &apos;FATAL problem: {kind}RRDATAIllegal{family}Address (Value is not a"
                    f" valid {family} address) encountered with &apos;{value}&apos;&apos;]"
                )
    return None


def _operation(environ: Environ) -> str | None:
    service, _, target = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if service.startswith("DynamoDB") or service == "AmazonSSM":
        return str(target)
    path = environ["PATH_INFO"].removeprefix("/2013-04-01")
    for method, pattern, operation in _PATTERNS:
        if environ["REQUEST_METHOD"] == method and re.fullmatch(pattern, path):
            return operation
    return None


def _queried(environ: Environ, body: str) -> list[str]:
    """Return service:Action of a request in AWS's query protocol, whose service stands in the signature."""
    signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    action = re.search(r"\bAction=(\w+)", body)
    return [f"{signed[1]}:{action[1]}"] if signed and action else []


def _as_stored(pattern: str, text: str) -> str:
    """Write the names that `pattern` finds in `text` as AWS stores them."""
    return re.sub(pattern, lambda name: name[0].lower().replace("%2a", "%5C052").replace("*", r"\052"), text)
