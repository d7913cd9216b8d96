"""An address source that is a file."""

import os
import time
from pathlib import Path
from threading import Thread

import pytest

from ddns_updater.errors import SourceError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import Family
from ddns_updater.run.detection import Detection
from ddns_updater.sources.file import FileSource
from ddns_updater.sources.spec import FileSpec
from tests.support.source_trial import Trial

NEW = "9.9.9.9"


@pytest.mark.parametrize("content", [NEW, f"{NEW}\n", f" \t{NEW}\r\n\n", NEW + " " * 121, f"\ufeff{NEW}\r\n"])
def test_it_reads_the_address_in_the_file(trial: Trial, tmp_path: Path, content: str) -> None:
    path = tmp_path / "wan ip.txt"
    path.write_text(content)
    assert trial.address(f"file:{path}") == NEW


def test_it_reads_an_ipv6_address_for_an_ipv6_run(trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "ip"
    path.write_text("2606:4700:4700::1111\n")
    assert trial.address(f"file:{path}", Family.IPV6) == "2606:4700:4700::1111"


def test_the_real_command_publishes_what_the_file_says_and_names_the_file(trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "ip"
    done = trial.machine.ddns("run", DDNS_IP_SOURCES=f"file:{path}")
    assert done.err == (
        "failed: no trustworthy ipv4 address, so nothing was changed:"
        f" file:{path} cannot be read: No such file or directory\n"
    )
    assert (done.status, done.out) == (1, "")
    path.write_text(NEW)
    done = trial.machine.ddns("run", "--json", DDNS_IP_SOURCES=f"file:{path}")
    family = done.json["results"][0]
    assert (done.status, family["address"], family["source"]) == (0, NEW, f"file:{path}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "answered nothing, which is not one IP address"),
        (b"\n\n", "answered nothing, which is not one IP address"),
        (b"garbage\n", "answered 'garbage\\n', which is not one IP address"),
        (b"\x00\xff\x1b", "answered '\\x00�\\x1b', which is not one IP address"),
        (b"9.9.9.9\n8.8.8.8\n", "answered '9.9.9.9\\n8.8.8.8\\n', which is not one IP address"),
        (
            "9.9.9.9".encode("utf-16"),
            "answered '��9\\x00.\\x009\\x00.\\x009\\x00.\\x009\\x00', which is not one IP address",
        ),
        (b"9.9.9", "answered '9.9.9', which is not one IP address"),
        (b"192.168.1.1", "answered 192.168.1.1, which is not a public address"),
        (b"9.9.9.9" + b" " * 122, "holds more than an address"),
        (b"9" * 10_000_000, "holds more than an address"),
    ],
    ids=["empty", "blank", "garbage", "binary", "two", "utf-16", "half", "private", "long", "huge"],
)
def test_it_refuses_a_file_that_does_not_hold_one_public_address(
    trial: Trial, tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "ip"
    path.write_bytes(content)
    assert trial.refusal(f"file:{path}") == reason


def test_it_refuses_a_folder_and_a_path_that_leads_nowhere(trial: Trial, tmp_path: Path) -> None:
    assert trial.refusal(f"file:{tmp_path}") == "cannot be read: Is a directory"
    assert trial.refusal(f"file:{tmp_path}/none/ip") == "cannot be read: No such file or directory"
    (tmp_path / "ip").write_text(NEW)
    assert trial.refusal(f"file:{tmp_path}/ip/ip") == "cannot be read: Not a directory"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert trial.refusal(f"file:{tmp_path}/loop") == "cannot be read: Too many levels of symbolic links"
    assert trial.refusal(f"file:/{'x' * 300}") == "cannot be read: File name too long"


def test_a_pipe_without_a_writer_costs_no_more_than_its_share_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    begin = time.monotonic()
    with pytest.raises(SourceError, match=f": file:{path} did not finish within its 0.3 s$"):
        Detection([FileSource(FileSpec(f"file:{path}"))], Family.IPV4, Deadline(0.3), time_limit).first()
    assert time.monotonic() - begin < 2


def test_a_pipe_with_a_writer_works_like_a_file(trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    Thread(target=path.write_text, args=(NEW,), daemon=True).start()
    assert trial.address(f"file:{path}") == NEW
