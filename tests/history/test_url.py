"""What a database URL says about the database; its grammar is tested with the settings."""

from pathlib import Path

import pytest

from ddns_updater.errors import InvalidValue
from ddns_updater.history.url import parse_database_url


def test_only_the_url_of_a_server_holds_a_secret_and_is_shown_without_it() -> None:
    server = parse_database_url("mysql://ddns:hunter2@db.example.com/home")
    assert (server.holds_secret, server.file) == (True, None)
    assert {str(server), repr(server)} == {"MySqlUrl(mysql:db.example.com:3306/home)"}


def test_a_file_has_one_identity_however_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "ddns.sqlite3"
    (tmp_path / "link").symlink_to(file)
    found = [parse_database_url(f"sqlite:///{tmp_path}/{name}") for name in ("ddns.sqlite3", "link", "x/../link")]
    assert {each.file for each in found} == {file}
    assert {each.identity for each in found} == {f"sqlite:{file}"}
    assert not any(each.holds_secret for each in found)


def test_a_port_is_taken_as_it_is_written() -> None:
    assert parse_database_url("mysql://ddns@db.example.com:0/home").identity == "mysql:db.example.com:0/home"


def test_a_url_of_bytes_that_are_no_text_is_refused() -> None:
    with pytest.raises(InvalidValue, match="is not a URL"):
        parse_database_url("mysql://ddns:\udcff@db.example.com/home")


def test_an_empty_certificate_authority_does_not_turn_the_check_of_the_server_off() -> None:
    with pytest.raises(InvalidValue, match="has ssl_ca='', which cannot be read"):
        parse_database_url("mysql://ddns@db.example.com/home?ssl_ca=")


def test_a_table_of_dynamodb_is_named_with_its_region() -> None:
    table = parse_database_url("dynamodb://ddns_2.home?region=eu-west-1")
    assert (table.place, table.identity, table.file, table.holds_secret) == (
        "DynamoDB table ddns_2.home in eu-west-1",
        "dynamodb:ddns_2.home?region=eu-west-1",
        None,
        False,
    )
    assert parse_database_url("dynamodb://ddns").identity == "dynamodb:ddns"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("dynamodb://", "names no table, which has 3 to 255 letters"),
        ("dynamodb://ab", "names no table"),
        ("dynamodb://my%20table", "names no table"),
        ("dynamodb:ddns", "has more than a table and its region"),
        ("dynamodb://ddns:8000", "has more than a table and its region"),
        ("dynamodb://user@ddns", "has more than a table and its region"),
        ("dynamodb://ddns/other", "has more than a table and its region"),
        ("dynamodb://ddns?region=", "has region='', which is not the name of a region"),
        ("dynamodb://ddns?region=nowhere", "has region='nowhere'"),
        ("dynamodb://ddns?zone=eu-west-1", "has the unknown parameter 'zone'"),
        ("dynamodb://ddns?region=eu-west-1&zone=2", "has the unknown parameter 'zone'"),
    ],
)
def test_a_url_of_dynamodb_that_means_nothing_is_refused(url: str, problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem) as refused:
        parse_database_url(url)
    assert "write dynamodb://TABLE?region=eu-west-1" in str(refused.value)


def test_a_region_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InvalidValue, match="has region twice; keep one of them"):
        parse_database_url("dynamodb://ddns?region=eu-west-1&region=eu-west-2")
