"""Rate limits as in api/rate-limits."""

import time

import pytest

from portal.sandbox.limits import HOUR, RateLimiter
from tests.sandbox.conftest import Api


def test_every_answer_says_what_is_left_of_the_minute(api: Api) -> None:
    api.control("POST", "limits", per_minute=60, per_hour=1000)
    first, second = api.get().headers, api.get(path="/v1/nothing").headers
    assert (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"]) == ("60", "59")
    assert second["X-RateLimit-Remaining"] == "58"
    assert first["X-RateLimit-Reset"] == second["X-RateLimit-Reset"]
    assert 0 <= int(first["X-RateLimit-Reset"]) - time.time() <= 61


def test_one_request_too_many_is_answered_429_with_retry_after_and_no_request_id_in_the_body(api: Api) -> None:
    api.control("POST", "limits", per_minute=2)
    assert [api.get().status_code for _ in range(2)] == [200, 200]
    refused = api.get()
    assert refused.status_code == 429
    seconds = int(refused.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert refused.json() == {
        "error": {
            "code": 429,
            "message": "Rate limit exceeded",
            "details": f"Please wait {seconds} seconds before retrying",
        }
    }


def test_the_hour_is_the_tighter_limit_when_it_is_used_up(api: Api) -> None:
    api.control("POST", "limits", per_minute=60, per_hour=1)
    assert api.get().headers["X-RateLimit-Remaining"] == "0"
    refused = api.get()
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 3500


def test_each_credential_is_counted_by_itself(api: Api) -> None:
    api.control("POST", "limits", per_minute=1)
    api.get()
    assert api.get().status_code == 429
    assert Api(api.url, "sandbox-globex-token").get().status_code == 200
    key = {"X-Api-Key": "AKIASANDBOXACME:sandbox-acme-secret"}
    api.session.headers.pop("Authorization")
    assert api.get(headers=key).status_code == 200


def test_a_window_opens_anew_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1000.0, 1001.0, 1060.0, 1061.0, 1000.0 + HOUR])
    monkeypatch.setattr(time, "time", lambda: next(moments))
    limits = RateLimiter(per_minute=1, per_hour=2)
    assert [limits.count("ada").retry_after for _ in range(5)] == [None, 59, None, HOUR - 61, None]


@pytest.mark.parametrize("body", [{"per_minute": -1}, {"per_hour": "many"}, {"per_minute": True}])
def test_limits_that_are_no_numbers_are_refused(api: Api, body: dict[str, object]) -> None:
    assert api.control("POST", "limits", **body).status_code == 400


def test_reset_gives_the_limits_back(api: Api) -> None:
    api.control("POST", "limits", per_minute=0)
    assert api.get().status_code == 429
    api.control("POST", "reset")
    assert api.get().status_code == 200
