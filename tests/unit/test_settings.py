"""schemas.settings: where a value comes from, how it is read, and what a bad one is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StartupError
from schemas.settings import Bytes, Settings, documented, load, variable


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests run where no evalstream.toml lies and no variable is set."""
    monkeypatch.chdir(tmp_path)
    for field in dataclasses.fields(Settings):
        monkeypatch.delenv(variable(field.name), raising=False)
    return tmp_path


def from_environment(name: str, text: str) -> Any:
    return getattr(load(environment={variable(name): text}), name)


def from_file(folder: Path, line: str) -> Settings:
    path = folder / "evalstream.toml"
    path.write_text(line, encoding="utf-8")
    return load(environment={}, file=path)


# where a value comes from


def test_without_anything_the_defaults_hold() -> None:
    assert load(environment={}) == Settings()


def test_flags_beat_environment_beat_file_beat_default(empty_folder: Path) -> None:
    file = empty_folder / "some.toml"
    file.write_text("api_port = 1\notlp_http_port = 2\notlp_grpc_port = 3\n")
    environment = {"EVALSTREAM_API_PORT": "11", "EVALSTREAM_OTLP_HTTP_PORT": "12"}
    loaded = load({"api_port": 21, "host": None}, environment, file)
    assert (loaded.api_port, loaded.otlp_http_port, loaded.otlp_grpc_port) == (21, 12, 3)
    assert (loaded.sql_port, loaded.host) == (8123, "127.0.0.1")


def test_a_flag_that_is_false_or_zero_is_still_given() -> None:
    assert load({"api_port": 0, "api_key": ""}, {"EVALSTREAM_API_PORT": "9", "EVALSTREAM_API_KEY": "k"}) == (
        dataclasses.replace(Settings(), api_port=0, api_key="")
    )


def test_flags_are_read_like_the_rest() -> None:
    loaded = load({"data_dir": "elsewhere", "auth": "OFF", "log_max_bytes": "1GiB"}, {})
    assert (loaded.data_dir, loaded.auth, loaded.log_max_bytes) == (Path("elsewhere"), "off", 1 << 30)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSTREAM_HOST", "0.0.0.0")
    assert load().host == "0.0.0.0"


def test_the_file_in_the_working_folder_is_found(empty_folder: Path) -> None:
    (empty_folder / "evalstream.toml").write_text('host = "::1"\n')
    assert load(environment={}).host == "::1"


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().host = "0.0.0.0"  # type: ignore[misc]


# how a value is read


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("67108864", 64 << 20),
        ("64MiB", 64 << 20),
        ("64 mib", 64 << 20),
        ("64MB", 64_000_000),
        ("64M", 64_000_000),
        ("10k", 10_000),
        ("10KiB", 10_240),
        ("1.5GiB", 3 << 29),
        ("2g", 2_000_000_000),
        ("7b", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    value = from_environment("log_max_bytes", text)
    assert value == size
    assert isinstance(value, Bytes)


@given(st.integers(min_value=0, max_value=1 << 62))
def test_a_size_in_plain_bytes_is_exact(size: int) -> None:
    assert from_environment("log_max_bytes", str(size)) == size


@pytest.mark.parametrize(
    ("text", "switch"),
    [
        ("auto", "auto"),
        *((text, "on") for text in ("on", "ON", "true", "1", "yes")),
        *((text, "off") for text in ("off", " Off ", "false", "False", "0", "no")),
    ],
)
def test_switches_and_false_is_false(text: str, switch: str) -> None:
    assert from_environment("auth", text) == switch


def test_a_switch_in_the_file_may_be_a_boolean(empty_folder: Path) -> None:
    assert from_file(empty_folder, "auth = false").auth == "off"
    assert from_file(empty_folder, "auth = true").auth == "on"


def test_lists(empty_folder: Path) -> None:
    assert from_environment("cors_origins", " https://a.example, ,https://b.example ") == (
        "https://a.example",
        "https://b.example",
    )
    assert from_environment("cors_origins", "") == ()
    assert from_file(empty_folder, 'session_keys = ["chat.id", " thread "]').session_keys == (
        "chat.id",
        "thread",
    )


def test_paths() -> None:
    assert from_environment("data_dir", "some/where") == Path("some/where")
    assert from_environment("tls_cert", "cert.pem") == Path("cert.pem")
    assert from_environment("tls_cert", "") is None


def test_numbers(empty_folder: Path) -> None:
    assert from_environment("body_timeout", "2.5") == 2.5
    assert from_environment("writer_max_rows", "20000") == 20_000
    assert from_file(empty_folder, "sql_seconds = 5").sql_seconds == 5.0


def test_the_file_speaks_all_types(empty_folder: Path) -> None:
    loaded = from_file(
        empty_folder,
        'data_dir = "d"\napi_port = 1\notlp_max_bytes = "1MiB"\nsql_memory = 5\nlog_format = "json"\n',
    )
    assert (loaded.data_dir, loaded.api_port, loaded.log_format) == (Path("d"), 1, "json")
    assert (loaded.otlp_max_bytes, loaded.sql_memory) == (1 << 20, 5)


@pytest.mark.parametrize(
    ("host", "auth", "required"),
    [
        ("127.0.0.1", "auto", False),
        ("::1", "auto", False),
        ("localhost", "auto", False),
        ("0.0.0.0", "auto", True),
        ("::", "auto", True),
        ("10.0.0.7", "auto", True),
        ("127.0.0.1", "on", True),
        ("0.0.0.0", "off", False),
    ],
)
def test_authentication_is_on_off_loopback(host: str, auth: str, required: bool) -> None:
    assert load(environment={"EVALSTREAM_HOST": host, "EVALSTREAM_AUTH": auth}).auth_required is required


# what a bad value is told


BAD = [
    ("api_port", "http"),
    ("api_port", ""),
    ("api_port", "-1"),
    ("api_port", "65536"),
    ("api_port", "80.5"),
    ("writer_max_rows", "-1"),
    ("writer_max_rows", "many"),
    ("otlp_max_bytes", "64 parsecs"),
    ("otlp_max_bytes", "MiB"),
    ("otlp_max_bytes", "-5"),
    ("otlp_max_bytes", "inf"),
    ("otlp_max_bytes", "nan"),
    ("auth", "maybe"),
    ("body_timeout", "soon"),
    ("body_timeout", "nan"),
    ("body_timeout", "inf"),
    ("body_timeout", "-1"),
    ("data_dir", ""),
    ("log_level", "loud"),
    ("log_format", "xml"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_variable_is_named(name: str, text: str) -> None:
    with pytest.raises(StartupError) as caught:
        from_environment(name, text)
    assert variable(name) in caught.value.detail
    assert repr(text) in caught.value.detail


@pytest.mark.parametrize(
    "line",
    [
        'api_port = "http"',
        "api_port = true",
        "api_port = 80.5",
        "cors_origins = [1]",
        "cors_origins = 5",
        "data_dir = 5",
        "host = 5",
        "sql_memory = -5",
        "body_timeout = inf",
        "body_timeout = true",
        "[auth]\nmode = 'on'",
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_a_bad_value_in_the_file_is_named_with_its_file(empty_folder: Path, line: str, given: bool) -> None:
    path = empty_folder / "evalstream.toml"
    path.write_text(line)
    with pytest.raises(StartupError) as caught:
        load(environment={}, file=path if given else None)
    assert line.strip("[").split()[0].strip("]") in caught.value.detail
    assert "evalstream.toml" in caught.value.detail


def test_a_bad_flag_is_named() -> None:
    with pytest.raises(StartupError, match="api_port"):
        load({"api_port": 70_000}, {})


def test_an_unknown_setting_in_the_file_is_named(empty_folder: Path) -> None:
    with pytest.raises(StartupError, match="unknown setting 'ap_port'"):
        from_file(empty_folder, "ap_port = 1")


def test_a_file_that_was_named_must_exist(empty_folder: Path) -> None:
    with pytest.raises(StartupError, match="no such settings file"):
        load(environment={}, file=empty_folder / "absent.toml")


@pytest.mark.parametrize("content", [b"api_port = ", b"\xff\xfe"])
def test_a_damaged_file_is_named(empty_folder: Path, content: bytes) -> None:
    path = empty_folder / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(StartupError, match="broken.toml"):
        load(environment={}, file=path)


def test_a_folder_in_place_of_the_file_is_named(empty_folder: Path) -> None:
    with pytest.raises(StartupError, match=empty_folder.name):
        load(environment={}, file=empty_folder)


@given(
    name=st.sampled_from([field.name for field in dataclasses.fields(Settings)]), text=st.text(max_size=12)
)
def test_no_text_ends_in_anything_but_a_value_or_a_startup_error(name: str, text: str) -> None:
    try:
        load(environment={variable(name): text})
    except StartupError as error:
        message = error.detail
    else:
        return
    assert variable(name) in message


# documentation


def test_every_setting_is_documented_with_a_sentence() -> None:
    rows = documented()
    assert [row[0] for row in rows] == [variable(field.name) for field in dataclasses.fields(Settings)]
    assert all(meaning.endswith(".") and len(meaning) > 15 for _, _, meaning in rows)
