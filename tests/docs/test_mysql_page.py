"""docs/mysql.md: each form of the URL that it shows is one."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ddns_updater.errors import SettingsError
from tests.docs.pages import text_of
from tests.support.database import load_settings_with
from tests.support.mysqld import certificates

_TABLE = text_of("docs/mysql.md").partition("| after the database | for |")[2].partition("\n\n")[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an authority's certificate and a public key."""
    folder = tmp_path_factory.mktemp("files")
    certificates(folder)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "db-key.pem").write_bytes(key.public_bytes(serialization.Encoding.PEM, form))
    return folder


@pytest.mark.parametrize("options", re.findall(r"^\| `(\?.+?)` \|", _TABLE, re.MULTILINE))
def test_every_form_of_the_url_is_one(options: str, files: Path) -> None:
    here = options.replace("/etc/ssl/certs/db-ca.pem", f"{files}/ca.pem").replace("/etc/ddns-updater", str(files))
    assert load_settings_with({"DDNS_DATABASE_URL": f"mysql://ddns:change-me@db.example.com:3306/app{here}"}).database


def test_every_parameter_that_a_url_may_have_is_named() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings_with({"DDNS_DATABASE_URL": "mysql://ddns:change-me@db.example.com:3306/app?unknown=1"})
    parameters = re.findall(r"\b[a-z]+_[a-z_]+\b", str(refused.value).partition("use only")[2])
    assert len(parameters) > 5
    assert all(parameter in text_of("docs/mysql.md") for parameter in parameters)
