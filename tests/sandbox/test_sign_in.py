"""Both documented authentication methods, and what each organization can see."""

import pytest
import requests

from tests.sandbox.conftest import Api

SIGN_INS = {
    "acme": ("sandbox-acme-token", "AKIASANDBOXACME:sandbox-acme-secret", 150),
    "globex": ("sandbox-globex-token", "AKIASANDBOXGLOBEX:sandbox-globex-secret", 12),
    "initech": ("sandbox-initech-token", "AKIASANDBOXINITECH:sandbox-initech-secret", 0),
}


@pytest.mark.parametrize("organization", SIGN_INS)
def test_a_token_and_an_api_key_of_one_organization_see_the_same_fleet(api: Api, organization: str) -> None:
    token, key, size = SIGN_INS[organization]
    by_token = requests.get(f"{api.url}/v1/instances", headers={"Authorization": f"bearer {token}"}, timeout=5)
    by_key = requests.get(f"{api.url}/v1/instances", headers={"x-api-key": key}, timeout=5)
    assert by_token.status_code == by_key.status_code == 200
    assert by_token.json() == by_key.json()
    assert by_token.json()["meta"]["total"] == size
    assert [each["credential"] for each in api.log()] == ["bearer", "api-key"]
    assert {each["organization"] for each in api.log()} == {organization}


def test_no_two_organizations_share_an_instance(api: Api) -> None:
    other = Api(api.url, "sandbox-globex-token")
    assert not {each["id"] for each in api.every()} & {each["id"] for each in other.every()}
    assert not {each["name"] for each in api.every()} & {each["name"] for each in other.every()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer no-such-token"},
        {"Authorization": "Basic sandbox-acme-token"},
        {"Authorization": "sandbox-acme-token"},
        {"Authorization": "Bearer"},
        {"X-Api-Key": "AKIASANDBOXACME"},
        {"X-Api-Key": "AKIASANDBOXACME:wrong"},
        {"Authorization": "Bearer no-such-token", "X-Api-Key": "AKIASANDBOXACME:sandbox-acme-secret"},
    ],
)
def test_a_credential_that_is_missing_or_wrong_is_answered_401(api: Api, headers: dict[str, str]) -> None:
    answer = requests.get(f"{api.url}/v1/instances", headers=headers, timeout=5)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"] == 401
    assert error["request_id"] == answer.headers["X-Request-Id"]
    assert "X-RateLimit-Remaining" in answer.headers


def test_a_token_that_may_not_list_is_answered_403(api: Api) -> None:
    answer = Api(api.url, "sandbox-forbidden-token").get()
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 403)


def test_no_credential_stands_in_the_log_or_in_an_answer(api: Api) -> None:
    answers = [api.get(), Api(api.url, "a-wrong-token").get(), api.control("GET", "requests")]
    for answer in answers:
        assert "sandbox-acme-token" not in answer.text + str(answer.headers)
        assert "a-wrong-token" not in answer.text + str(answer.headers)
