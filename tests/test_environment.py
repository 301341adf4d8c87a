"""Where the value of a setting comes from, and the message if it is invalid."""

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.bycloud import Region
from portal.environment import Environment, is_loopback, read_origin, read_regions, read_role_groups

START = "ByCloud Portal cannot start: "


def sentence_of(start: Callable[[], object]) -> str:
    """The one sentence that a refused start ends with."""
    with pytest.raises(SystemExit) as stop:
        start()
    sentence = str(stop.value.code)
    assert sentence.startswith(START)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence.removeprefix(START)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """With a `.env` file that sets a few."""
    (tmp_path / ".env").write_text("COUNT=1\nWORD='a # word'\nSWITCH=on\nEMPTY=\n", encoding="utf-8")
    return Environment(tmp_path / ".env")


def test_a_value_comes_from_the_env_file_when_the_environment_has_none(environment: Environment) -> None:
    assert environment.read(environment.env.int, "COUNT", default=9) == 1
    assert environment.read(environment.env.bool, "SWITCH", default=False) is True
    assert environment.read_secret("WORD", purpose="a word") == "a # word"


def test_the_environment_goes_before_the_env_file(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNT", "2")
    assert environment.read(environment.env.int, "COUNT", default=9) == 2


def test_a_file_that_is_named_goes_before_both(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "word").write_text("a secret from a file\n", encoding="utf-8")
    monkeypatch.setenv("WORD", "another")
    monkeypatch.setenv("WORD_FILE", str(tmp_path / "word"))
    assert environment.read_secret("WORD", purpose="a word") == "a secret from a file"


def test_without_an_env_file_the_defaults_hold(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "missing")
    assert environment.read(environment.env.float, "COUNT", default=1.5) == 1.5
    assert environment.read(environment.env.list, "WORDS", default=["a"]) == ["a"]


@pytest.mark.parametrize("exported", [None, ""])
def test_an_empty_value_counts_as_not_set(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, exported: str | None
) -> None:
    if exported is not None:
        monkeypatch.setenv("EMPTY", exported)
    assert environment.read(environment.env.int, "EMPTY", default=9) == 9


@pytest.mark.parametrize(
    ("parser", "value", "sentence"),
    [
        ("int", "many", "SETTING is not a valid integer."),
        ("bool", "perhaps", "SETTING is not a valid boolean."),
        ("float", "nan", "SETTING is invalid (special numeric values (nan or infinity) are not permitted)."),
        ("dj_db_url", "secret", "SETTING is not a valid database url."),
        ("dj_cache_url", "memory://x", 'SETTING is invalid (unknown backend: "memory").'),
    ],
)
def test_a_wrong_value_stops_the_start_in_a_sentence_that_names_the_setting(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, parser: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv("SETTING", value)
    assert sentence_of(lambda: environment.read(getattr(environment.env, parser), "SETTING", default=None)) == sentence


def test_a_missing_secret_stops_the_start_and_says_what_it_is_for(environment: Environment) -> None:
    start = sentence_of(lambda: environment.read_secret("SECRET_KEY_OF_OURS", purpose="the key that signs"))
    assert start == "SECRET_KEY_OF_OURS is not set; it is the key that signs."


@pytest.mark.parametrize("path", ["missing", ".", ".env/below-a-file", "not-utf-8"])
def test_a_secret_file_that_cannot_be_read_is_named(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "not-utf-8").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("WORD_FILE", str(tmp_path / path))
    start = sentence_of(lambda: environment.read_secret("WORD", purpose="a word"))
    assert start == "WORD_FILE is not the path of a readable file."


def test_regions_are_read_in_order_and_without_a_closing_slash() -> None:
    text = " spo1 = https://api.spo1.mycloud.com/ ,sao-2=https://gate.example.com:8443/bycloud, "
    assert read_regions(text, allow_plain_http=False) == {
        "spo1": Region("spo1", "https://api.spo1.mycloud.com"),
        "sao-2": Region("sao-2", "https://gate.example.com:8443/bycloud"),
    }


@pytest.mark.parametrize("url", ["http://127.0.0.1:9800", "http://localhost:1", "http://[::1]:1", "https://localhost"])
def test_a_loopback_region_is_for_plain_http_alone(url: str) -> None:
    assert read_regions(f"spo1={url}", allow_plain_http=True)["spo1"].base_url == url
    sentence = sentence_of(lambda: read_regions(f"spo1={url}", allow_plain_http=False))
    assert sentence == f"BYCLOUD_REGIONS has {url!r}, a loopback address, which is only allowed with PLAIN_HTTP=1."


@pytest.mark.parametrize("allow_plain_http", [True, False])
def test_a_region_elsewhere_is_reached_by_tls_alone(*, allow_plain_http: bool) -> None:
    start = sentence_of(lambda: read_regions("spo1=http://api.example.com", allow_plain_http=allow_plain_http))
    assert start == "BYCLOUD_REGIONS has 'http://api.example.com', which must start with https://."


@pytest.mark.parametrize(
    "pair",
    [
        "spo1",
        "spo1=",
        "=https://api.example.com",
        "SPO1=https://api.example.com",
        "spo/1=https://api.example.com",
        "-=https://api.example.com",
        "spo1=api.example.com",
        "spo1=ftp://api.example.com",
        "spo1=https://",
        "spo1=https://[::1",
        "spo1=https://api.example.com:port",
        "spo1=https://api.example.com?v=1",
        "spo1=https://api.example.com#v1",
    ],
)
def test_what_does_not_read_like_a_region_is_refused(pair: str) -> None:
    sentence = sentence_of(lambda: read_regions(pair, allow_plain_http=True))
    assert sentence.startswith("BYCLOUD_REGIONS has ")
    assert "is not a valid region like spo1=https://" in sentence


def test_a_region_is_named_once() -> None:
    text = "spo1=https://a.example.com,spo1=https://b.example.com"
    assert sentence_of(lambda: read_regions(text, allow_plain_http=False)) == (
        "BYCLOUD_REGIONS contains the region 'spo1' twice."
    )


def test_there_is_at_least_one_region() -> None:
    assert "contains no region" in sentence_of(lambda: read_regions(" , ", allow_plain_http=False))


@pytest.mark.parametrize("url", ["https://ada:a-password@api.example.com", "ada:a-password@api.example.com"])
def test_a_password_in_a_regions_address_is_refused_and_not_repeated(url: str) -> None:
    sentence = sentence_of(lambda: read_regions(f"spo1={url}", allow_plain_http=False))
    assert "BYCLOUD_REGIONS must not contain a user name or password (in the URL of 'spo1')" in sentence
    assert "a-password" not in sentence


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://login.example.com", "https://login.example.com"),
        ("https://login.example.com:8443/realms/acme", "https://login.example.com:8443"),
        ("http://localhost:9400/a", "http://localhost:9400"),
    ],
)
def test_an_origin_is_what_comes_before_the_path(url: str, origin: str) -> None:
    assert read_origin("OIDC_ISSUER", url, allow_plain_http=True) == origin


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://login.example.com", "must start with https://"),
        ("http://localhost:9400", "must start with https://"),
        ("login.example.com", "is not a valid URL like https://login.example.com"),
        ("https://", "is not a valid URL"),
        ("https://login.example.com/?a=b", "is not a valid URL"),
        ("https://ada:hunter2@login.example.com", "must not contain a user name or password"),
    ],
)
def test_an_origin_that_is_none_is_refused(url: str, words: str) -> None:
    sentence = sentence_of(lambda: read_origin("OIDC_ISSUER", url, allow_plain_http=False))
    assert words in sentence
    assert "hunter2" not in sentence


def test_groups_give_roles_and_may_hold_equals_signs() -> None:
    text = " a-group = admin , cn=ops=operator,/staff=operator,"
    roles = ("admin", "operator")
    assert read_role_groups(text, roles=roles) == {"a-group": "admin", "cn=ops": "operator", "/staff": "operator"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("staff", "is not a valid group=role; roles are admin, operator"),
        ("=admin", "is not a valid group=role"),
        ("staff=owner", "is not a valid group=role"),
        ("staff=admin,staff=operator", "contains the group 'staff' twice"),
    ],
)
def test_groups_that_give_no_role_are_refused(text: str, words: str) -> None:
    assert words in sentence_of(lambda: read_role_groups(text, roles=("admin", "operator")))


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "portal.localhost", ".localhost"),
        *("127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"),
        *("0.0.0.0", "0", "::", "[::]", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::1%lo"),  # noqa: S104
        *("::ffff:127.0.0.1", "[::ffff:7f00:1]"),
    ],
)
def test_this_machine_is_known_however_it_is_written(host: str) -> None:
    assert is_loopback(host)
    url = f"http://[{host}]" if ":" in host and not host.startswith("[") else f"http://{host}"
    if not host.startswith("."):
        assert "only allowed with PLAIN_HTTP=1" in sentence_of(lambda: read_regions(f"a={url}", allow_plain_http=False))
        assert read_regions(f"a={url}", allow_plain_http=True)["a"].base_url == url


@pytest.mark.parametrize(
    "host",
    ["localhost.example.com", "notlocalhost", "10.0.0.1", "128.0.0.1", "1.127.0.0", "::2", "127.0.0.1.nip.io", "", "*"],
)
def test_no_other_host_is_taken_for_this_machine(host: str) -> None:
    assert not is_loopback(host)
