import threading
import time
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from portal import __version__
from portal.bycloud import (
    ApiKey,
    ApiResponse,
    BearerToken,
    ByCloudError,
    Client,
    Forbidden,
    InstanceQuery,
    InvalidRequest,
    InvalidResponse,
    Limits,
    RateLimited,
    Region,
    ServerFault,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from tests.bycloud.conftest import TOKEN
from tests.bycloud.wire import Answering, Wire, break_off, hang, hang_up, packed, raw, reply

PAGE = b'{"instances": [{"id": "i-1"}]}'


def limited(wire: Wire, **limits: object) -> Client:
    return Client(Region("spo1", wire.url), BearerToken(TOKEN), limits=Limits(**limits))  # type: ignore[arg-type]


# What is sent


def test_a_question_without_parameters_has_no_query_string(wire: Wire, client: Client) -> None:
    assert client.fetch_instances(InstanceQuery()).target == "/v1/instances"
    assert wire.heard[0].line == "GET /v1/instances HTTP/1.1"


def test_all_seven_parameters_arrive_as_they_were_given_and_the_answer_knows_the_target(
    wire: Wire, client: Client
) -> None:
    query = InstanceQuery(
        name="wéb & co/1+1=2 #%41*",
        status="ACTIVE",
        tags=("web", "production"),
        flavor_id="550e8400-e29b-41d4-a716-446655440000",
        image_id="550e8400-e29b-41d4-a716-446655440001",
        limit=50,
        marker="550e8400-e29b-41d4-a716-446655440002",
    )
    assert client.fetch_instances(query).target == wire.heard[0].target
    assert wire.heard[0].parameters == [
        ("name", "wéb & co/1+1=2 #%41*"),
        ("status", "ACTIVE"),
        ("tags", "web,production"),
        ("flavor_id", "550e8400-e29b-41d4-a716-446655440000"),
        ("image_id", "550e8400-e29b-41d4-a716-446655440001"),
        ("limit", "50"),
        ("marker", "550e8400-e29b-41d4-a716-446655440002"),
    ]


def test_the_headers_of_a_request_are_these_and_no_others(wire: Wire, client: Client) -> None:
    client.fetch_instances(InstanceQuery())
    assert wire.heard[0].headers == {
        "host": f"127.0.0.1:{wire.port}",
        "user-agent": f"bycloud-portal/{__version__}",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "authorization": f"Bearer {TOKEN}",
    }


def test_an_api_key_is_sent_as_the_pair_and_without_an_authorization_header(wire: Wire) -> None:
    Client(Region("spo1", wire.url), ApiKey("AKIA1", "se:cret")).fetch_instances(InstanceQuery())
    assert wire.heard[0].headers["x-api-key"] == "AKIA1:se:cret"
    assert "authorization" not in wire.heard[0].headers


def test_the_region_header_is_sent_where_it_is_wanted(wire: Wire) -> None:
    limited(wire, sends_region_header=True).fetch_instances(InstanceQuery())
    assert wire.heard[0].headers["x-region"] == "spo1"


# What comes back


def test_the_answer_keeps_the_body_untouched_with_the_facts_of_the_exchange(wire: Wire, client: Client) -> None:
    body = b' {"instances" : [ ] , "new": 1}\n'
    wire.script(reply(body=body, headers={"x-request-id": "req-7"}))
    before = datetime.now(UTC)
    answer = client.fetch_instances(InstanceQuery())
    assert answer == ApiResponse(
        body=body,
        received_at=answer.received_at,
        elapsed_seconds=answer.elapsed_seconds,
        request_id="req-7",
        tries=1,
        target="/v1/instances",
    )
    assert before <= answer.received_at <= datetime.now(UTC)
    assert 0 < answer.elapsed_seconds < 2
    assert repr(answer) == "ApiResponse('/v1/instances', 32 bytes, 1 tries)"


def test_a_packed_answer_is_unpacked(wire: Wire, client: Client) -> None:
    wire.script(packed(PAGE))
    assert client.fetch_instances(InstanceQuery()).body == PAGE


def test_an_answer_in_chunks_is_put_together(wire: Wire, client: Client) -> None:
    wire.script(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nA: b\r\n\r\n"))
    assert client.fetch_instances(InstanceQuery()).body == b"{}"


def test_an_answer_that_ends_with_the_connection_is_whole(wire: Wire, client: Client) -> None:
    wire.script(raw(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE))
    assert client.fetch_instances(InstanceQuery()).body == PAGE


def test_an_interim_answer_is_passed_over(wire: Wire, client: Client) -> None:
    wire.script(raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
    assert client.fetch_instances(InstanceQuery()).body == b"{}"


def test_an_empty_body_is_fetched_but_is_no_page(wire: Wire, client: Client) -> None:
    wire.script(reply(body=b""))
    assert client.fetch_instances(InstanceQuery()).body == b""
    with pytest.raises(InvalidResponse):
        client.list_instances(InstanceQuery())


def test_a_page_is_listed_decoded(wire: Wire, client: Client) -> None:
    wire.script(reply(body=PAGE))
    page = client.list_instances(InstanceQuery())
    assert page.instances
    assert page.instances[0].id == "i-1"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"<html>Please sign in</html>", "$"),
        (b'[{"id": "i-1"}]', "$"),
        (b'{"instances": {}}', "$.instances"),
        (b'{"instances": "none"}', "$.instances"),
        (b'{"instances": [{"id": "i-', "$"),
    ],
)
def test_a_200_that_is_no_page_is_a_bad_payload_with_path_and_request_id(
    wire: Wire, client: Client, body: bytes, path: str
) -> None:
    wire.script(reply(body=body, headers={"X-Request-Id": "req-8", "Content-Type": "text/html"}))
    with pytest.raises(InvalidResponse) as caught:
        client.list_instances(InstanceQuery())
    assert (caught.value.path, caught.value.status, caught.value.request_id) == (path, 200, "req-8")
    assert len(wire.heard) == 1


# What is refused


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthorized),
        (402, InvalidRequest),
        (403, Forbidden),
        (404, InvalidRequest),
        (409, InvalidRequest),
        (418, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimited),
        (500, ServerFault),
        (501, ServerFault),
        (599, ServerFault),
        (201, InvalidResponse),
        (204, InvalidResponse),
        (206, InvalidResponse),
        (300, InvalidResponse),
        (304, InvalidResponse),
    ],
)
def test_each_status_has_its_error_and_is_not_asked_again(
    wire: Wire, client: Client, status: int, kind: type[ByCloudError]
) -> None:
    wire.script(reply(status, b"" if status in {204, 304} else b"{}", headers={"X-Request-Id": "req-9"}))
    with pytest.raises(ByCloudError) as caught:
        client.list_instances(InstanceQuery())
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.request_id) == (status, "req-9")
    assert str(status) in caught.value.message
    assert len(wire.heard) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(wire: Wire, client: Client, status: int) -> None:
    with Wire() as elsewhere:
        wire.script(reply(status, headers={"Location": f"{elsewhere.url}/v1/instances"}))
        with pytest.raises(InvalidResponse) as caught:
            client.list_instances(InstanceQuery())
        assert caught.value.status == status
        assert elsewhere.connections == 0
    assert len(wire.heard) == 1


def test_a_rate_limit_says_when_to_come_back(wire: Wire, client: Client) -> None:
    wire.script(reply(429, headers={"Retry-After": "30"}))
    with pytest.raises(RateLimited) as caught:
        client.list_instances(InstanceQuery())
    assert caught.value.retry_at
    assert abs(caught.value.retry_at - datetime.now(UTC) - timedelta(seconds=30)) < timedelta(seconds=2)
    assert len(wire.heard) == 1


# Tries and pauses


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_passing_fault_is_tried_again_after_a_growing_pause(wire: Wire, client: Client, status: int) -> None:
    wire.script(reply(status), reply(status), reply(body=PAGE))
    answer = client.fetch_instances(InstanceQuery())
    assert (answer.body, answer.tries) == (PAGE, 3)
    first, second = (later - earlier for earlier, later in zip(wire.moments, wire.moments[1:], strict=False))
    assert 0.2 <= first < second
    assert answer.elapsed_seconds > 0.6


def test_a_fault_that_stays_is_raised_after_two_more_tries(wire: Wire, client: Client) -> None:
    wire.script(reply(503))
    with pytest.raises(ServerFault):
        client.list_instances(InstanceQuery())
    assert len(wire.heard) == 3


def test_no_more_tries_are_made_than_allowed(wire: Wire) -> None:
    wire.script(reply(503))
    with pytest.raises(ServerFault):
        limited(wire, extra_tries=0).list_instances(InstanceQuery())
    assert len(wire.heard) == 1


@pytest.mark.parametrize(
    "broken",
    [
        hang_up,
        break_off,
        reply(body=b'{"insta', length=500),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"),
    ],
    ids=["closed", "reset", "cut body", "cut chunk"],
)
def test_a_broken_connection_is_tried_again(wire: Wire, client: Client, broken: Answering) -> None:
    wire.script(broken, reply(body=PAGE))
    answer = client.fetch_instances(InstanceQuery())
    assert (answer.body, answer.tries, len(wire.heard)) == (PAGE, 2, 2)


def test_a_connection_that_breaks_each_time_is_unreachable(wire: Wire, client: Client) -> None:
    wire.script(hang_up)
    with pytest.raises(Unreachable):
        client.list_instances(InstanceQuery())
    assert len(wire.heard) == 3


@pytest.mark.parametrize("seconds", ["1", "120"])
def test_a_time_that_bycloud_names_is_told_and_not_waited_for(wire: Wire, client: Client, seconds: str) -> None:
    wire.script(reply(503, headers={"Retry-After": seconds}))
    with pytest.raises(ServerFault) as failure:
        client.list_instances(InstanceQuery())
    assert failure.value.retry_at is not None
    assert len(wire.heard) == 1


def test_a_retry_after_that_cannot_be_read_or_has_gone_by_changes_nothing(wire: Wire, client: Client) -> None:
    wire.script(
        reply(503, headers={"Retry-After": "soon"}),
        reply(503, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
        reply(body=PAGE),
    )
    assert client.fetch_instances(InstanceQuery()).tries == 3


def test_the_reset_of_the_rate_limit_window_does_not_hold_up_another_try(wire: Wire, client: Client) -> None:
    wire.script(reply(503, headers={"X-RateLimit-Reset": str(int(time.time()) + 60)}), reply(body=PAGE))
    assert client.fetch_instances(InstanceQuery()).tries == 2


def test_the_deadline_spans_all_tries(wire: Wire) -> None:
    wire.script(reply(503), hang)
    began_at = time.monotonic()
    with pytest.raises(TimedOut):
        limited(wire, deadline_seconds=0.6).list_instances(InstanceQuery())
    assert len(wire.heard) == 2
    assert 0.5 < time.monotonic() - began_at < 5


def test_no_pause_is_begun_that_the_deadline_would_cut(wire: Wire) -> None:
    wire.script(reply(503))
    with pytest.raises(ServerFault):
        limited(wire, deadline_seconds=0.35).list_instances(InstanceQuery())
    assert len(wire.heard) == 2


# Connections


def test_a_connection_is_kept_for_the_next_request_of_the_thread(wire: Wire, client: Client) -> None:
    wire.script(reply(), reply(401), reply(302, headers={"Location": "/"}), packed(b"{}"), reply())
    for kind in (None, Unauthorized, InvalidResponse, None, None):
        if kind is None:
            client.list_instances(InstanceQuery())
            continue
        with pytest.raises(kind):
            client.list_instances(InstanceQuery())
    assert (len(wire.heard), wire.connections) == (5, 1)


def test_another_client_of_the_same_thread_uses_the_same_connection_with_its_own_credential(
    wire: Wire, client: Client
) -> None:
    client.fetch_instances(InstanceQuery())
    Client(Region("spo1", wire.url), ApiKey("AKIA1", "secret")).fetch_instances(InstanceQuery())
    assert wire.connections == 1
    assert "authorization" not in wire.heard[1].headers


def test_each_thread_has_its_own_connection(wire: Wire, client: Client) -> None:
    client.fetch_instances(InstanceQuery())
    thread = threading.Thread(target=client.fetch_instances, args=(InstanceQuery(),))
    thread.start()
    thread.join()
    assert (len(wire.heard), wire.connections) == (2, 2)


def test_a_kept_connection_that_was_closed_meanwhile_costs_no_try(wire: Wire, client: Client) -> None:
    wire.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), reply())
    client.fetch_instances(InstanceQuery())
    time.sleep(0.1)
    assert client.fetch_instances(InstanceQuery()).tries == 1
    assert wire.connections == 2


def test_cookies_are_not_kept(wire: Wire, client: Client) -> None:
    wire.script(reply(headers={"Set-Cookie": "who=somebody; Path=/"}))
    client.fetch_instances(InstanceQuery())
    client.fetch_instances(InstanceQuery())
    assert "cookie" not in wire.heard[1].headers


# Secrets


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, f'{{"error": {{"message": "{TOKEN} is wrong", "details": "{TOKEN}"}}}}'.encode()),
        reply(403, headers={"X-Request-Id": TOKEN}),
        reply(429, f'{{"error": "{TOKEN}"}}'.encode()),
        reply(302, headers={"Location": f"/{TOKEN}"}),
        reply(500, TOKEN.encode()),
        reply(body=f'{{"instances": "{TOKEN}"}}'.encode()),
        reply(body=TOKEN.encode(), headers={"X-Request-Id": f"a{TOKEN}b"}),
        reply(body=TOKEN.encode(), headers={"Content-Encoding": "gzip"}),
        raw(TOKEN.encode() + b"\r\n\r\n"),
        hang_up,
    ],
)
def test_no_error_holds_the_credential_even_if_bycloud_says_it(wire: Wire, answer: Answering) -> None:
    wire.script(answer)
    with pytest.raises(ByCloudError) as caught:
        limited(wire, extra_tries=0).list_instances(InstanceQuery())
    error = caught.value
    # With all variables of all frames, as a debugging tool would print them, but for a page, which is shown anyway.
    report = traceback.TracebackException.from_exception(error, capture_locals=error.status != 200)
    shown = "".join(report.format())
    assert TOKEN not in shown
    assert TOKEN not in f"{error!r} {error} {vars(error)}"


def test_an_error_drags_along_no_exception_that_knows_the_request(wire: Wire) -> None:
    wire.script(hang_up)
    with pytest.raises(Unreachable) as caught:
        limited(wire, extra_tries=0).list_instances(InstanceQuery())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
