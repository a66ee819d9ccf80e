"""The messages for a person about a wrong environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.chassis.settings import PostgresSettings, SettingsError, load_or_exit

from tests.support.settings import load

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "RONDO_SERVICE": "registry",
    "RONDO_KAFKA": "localhost:9092",
    "RONDO_HTTP_PORT": "8000",
    "RONDO_POSTGRES_PASSWORD": "0123456789abcdef",
    "RONDO_POSTGRES": "postgresql://registry@localhost/rondo",
}


def test_a_secret_may_come_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("fedcba9876543210\n")
    loaded = load(PostgresSettings, GOOD | {"RONDO_POSTGRES_PASSWORD_FILE": str(tmp_path / "password")})
    assert loaded.postgres_password is not None
    assert loaded.postgres_password.get_secret_value() == "fedcba9876543210"


def test_a_secret_does_not_show_in_a_log() -> None:
    assert "0123456789abcdef" not in repr(load(PostgresSettings, GOOD))


def test_every_missing_variable_is_named_with_what_to_do() -> None:
    with pytest.raises(SettingsError) as caught:
        load(PostgresSettings, {"RONDO_SERVICE": "registry", "RONDO_HTTP_PORT": "8000"})
    _, *lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["RONDO_KAFKA", "RONDO_POSTGRES"]
    assert all("docs/settings.md" in line for line in lines)


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        load(PostgresSettings, GOOD | {"RONDO_KAFKA": "kafka"})
    _, line = str(caught.value).splitlines()
    assert line.startswith("  RONDO_KAFKA: ")
    assert "'kafka'" in line


def test_a_variable_that_is_no_setting_is_refused_beside_everything_else_that_is_wrong() -> None:
    with pytest.raises(SettingsError) as caught:
        load(PostgresSettings, GOOD | {"RONDO_HTTP_PORT": "many", "RONDO_KAFKA_URL": "x", "RONDO_QQQQ": "x"})
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "RONDO_HTTP_PORT:",
        "RONDO_KAFKA_URL",
        "RONDO_QQQQ",
    ]


def test_a_variable_that_is_no_setting_is_refused_where_all_else_is_right() -> None:
    with pytest.raises(SettingsError) as caught:
        load(PostgresSettings, GOOD | {"RONDO_KAFKA_URL": "x"})
    assert [problem.split()[0] for problem in caught.value.problems] == ["RONDO_KAFKA_URL"]


def test_a_secret_file_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        load(PostgresSettings, GOOD | {"RONDO_POSTGRES_FILE": "/nowhere"})
    assert caught.value.code == "invalid_settings"
    (problem,) = caught.value.problems
    assert ["RONDO_POSTGRES_FILE" in problem, "/nowhere" in problem] == [True, True]


def test_invalid_settings_go_to_standard_error_and_exit_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RONDO_HTTP_PORT", "many")
    with pytest.raises(SystemExit) as caught:
        load_or_exit(PostgresSettings)
    assert caught.value.code == 2
    assert "  RONDO_HTTP_PORT: " in capsys.readouterr().err
