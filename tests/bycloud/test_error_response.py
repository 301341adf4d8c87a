from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from portal.bycloud import ByCloudError, RateLimited
from portal.bycloud.error_response import clean, read_error_response, read_retry_at, read_wait_seconds
from portal.bycloud.transport import Reply

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "details"]) | st.text(), inner)
    ),
)


def refusal(body: bytes, status: int = 400, **headers: str) -> ByCloudError:
    sent = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return read_error_response(Reply(status=status, headers=sent, body=body), secret="hush", now=NOW)


def test_the_documented_envelope_is_read_whole() -> None:
    error = refusal(
        b'{"error": {"code": 400, "message": "Invalid request parameters",'
        b' "details": "Field \'name\' is required", "request_id": "req-550e"}}'
    )
    assert (error.message, error.details) == ("Invalid request parameters", "Field 'name' is required")
    assert (error.status, error.request_id) == (400, "req-550e")


def test_the_documented_rate_limit_body_has_no_request_id_and_the_header_gives_it() -> None:
    error = refusal(b'{"error": {"code": 429, "message": "Rate limit exceeded"}}', 429, x_request_id="req-1")
    assert isinstance(error, RateLimited)
    assert (error.message, error.request_id, error.retry_at) == ("Rate limit exceeded", "req-1", None)


def test_the_request_id_of_the_envelope_goes_before_the_headers() -> None:
    assert refusal(b'{"error": {"request_id": "inner"}}', x_request_id="outer").request_id == "inner"


def test_an_error_that_is_only_a_sentence_is_its_message() -> None:
    assert refusal(b'{"error": "Go away"}').message == "Go away"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>502 Bad Gateway</h1></html>",
        b"[]",
        b"null",
        b'"error"',
        b"{}",
        b'{"error": null}',
        b'{"error": []}',
        b'{"error": {}}',
        b'{"error": {"message": 5, "details": ["a"], "request_id": {}}}',
        b'{"error": {"message": " \\u0000\\u202e\\n "}}',
        b'{"error": {"message": "cut',
        b'{"error": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_an_envelope_that_cannot_be_read_leaves_the_status(body: bytes) -> None:
    error = refusal(body, 418)
    assert (error.message, error.details, error.request_id) == ("ByCloud answered with status 418", None, None)


def test_foreign_words_are_put_on_one_line_without_marks_that_no_one_sees() -> None:
    assert clean("one\r\n\ttwo\x1b[31m \u202ethree\u202c\u200f\x00 é", 100, "hush") == "one two[31m three é"


def test_long_words_are_cut() -> None:
    message = msgspec.json.encode(
        {"error": {"message": "m" * 10_000, "details": "d" * 10_000, "request_id": "r" * 999}}
    )
    error = refusal(message)
    assert (len(error.message), len(error.details or ""), len(error.request_id or "")) == (300, 2000, 100)
    assert error.message.endswith("m…")


def test_words_of_just_the_length_are_whole() -> None:
    assert clean("a" * 20, 20, "hush") == "a" * 20


@pytest.mark.parametrize("text", ["say hush now", "say hu\x00sh now", "a" * 297 + "hush" * 50])
def test_the_secret_is_cut_out_also_when_it_is_hidden_or_at_the_cut(text: str) -> None:
    cleaned = clean(text, 300, "hush")
    assert cleaned
    assert "hush" not in cleaned
    assert "…" in cleaned


@given(JSON, st.integers(300, 599))
def test_any_json_gives_an_error_with_words_that_can_be_shown(answer: object, status: int) -> None:
    error = refusal(msgspec.json.encode(answer), status)
    assert error.message.isprintable()
    assert error.status == status


@given(st.binary())
def test_any_bytes_give_an_error(body: bytes) -> None:
    assert refusal(body, 500).status == 500


# When to come back


def retry_at(**headers: str) -> datetime | None:
    return read_retry_at(
        CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()}), now=NOW
    )


def test_retry_after_counts_seconds() -> None:
    assert retry_at(retry_after="30") == NOW + timedelta(seconds=30)
    assert retry_at(retry_after=" 1 ") == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    "text",
    ["Mon, 23 Nov 2026 12:00:30 GMT", "Mon, 23 Nov 2026 13:00:30 +0100", "Mon Nov 23 12:00:30 2026"],
)
def test_retry_after_may_be_a_date(text: str) -> None:
    assert retry_at(retry_after=text) == NOW + timedelta(seconds=30)


def test_the_reset_of_the_window_is_taken_where_retry_after_says_nothing() -> None:
    reset = str(int(NOW.timestamp()) + 45)
    assert retry_at(x_ratelimit_reset=reset) == NOW + timedelta(seconds=45)
    assert retry_at(retry_after="soon", x_ratelimit_reset=reset) == NOW + timedelta(seconds=45)
    assert retry_at(retry_after="10", x_ratelimit_reset=reset) == NOW + timedelta(seconds=10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1.5",
        "1e3",
        "NaN",
        "0x10",
        "²",
        "١٢",
        "0",
        "9" * 10_000,
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Mon, 23 Nov 2026 12:00:30 +9999999999",
        "\x00",
    ],
)
def test_a_moment_that_makes_no_sense_is_none(text: str) -> None:
    assert retry_at(retry_after=text) is None
    assert retry_at(x_ratelimit_reset=text) is None


@pytest.mark.parametrize("text", ["86401", "9" * 18, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_more_than_a_day_is_a_day_for_retry_after_and_nothing_for_the_window(text: str) -> None:
    assert retry_at(retry_after=text) == NOW + timedelta(days=1)
    assert retry_at(x_ratelimit_reset=text) is None


@given(st.text())
def test_no_retry_after_breaks_the_reading(text: str) -> None:
    seconds = read_wait_seconds({"Retry-After": text}, now=NOW)
    assert seconds is None or isinstance(seconds, float)


@given(st.integers(1, 24 * 60 * 60).map(lambda seconds: NOW + timedelta(seconds=seconds)))
def test_any_date_of_the_next_day_is_read(moment: datetime) -> None:
    assert retry_at(retry_after=format_datetime(moment, usegmt=True)) == moment
