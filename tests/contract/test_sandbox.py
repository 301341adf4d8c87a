"""The sandbox against the documented API (`openapi.yaml`), over real HTTP."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup

from portal.sandbox.malformed import DISTORTIONS
from portal.sandbox.organizations import ORGANIZATIONS
from portal.sandbox.server import Sandbox

schema = schemathesis.openapi.from_path(Path(__file__).with_name("openapi.yaml")).include(operation_id="listInstances")
operation = schema["/v1/instances"]["GET"]
bounded = settings(max_examples=80, derandomize=True, deadline=None, database=None)
load_all_checks()
# The contract sets no bounds for `limit`, and knows no marker that names nothing: a 400 is right all the same.
# It also documents a POST that the sandbox does not have, so that `Allow` says GET alone.
EXCLUDED: list[Any] = CHECKS.get_by_names(["positive_data_acceptance", "allow_header_conformance"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Sandbox() as sandbox:
        yield sandbox.url


@schema.parametrize()
@bounded
def test_every_answer_to_a_bearer_token_keeps_the_contract(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(
        base_url=url, headers={"Authorization": f"Bearer {ORGANIZATIONS[0].token}"}, excluded_checks=EXCLUDED
    )


@schema.parametrize()
@bounded
def test_every_answer_to_an_api_key_keeps_the_contract(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url, headers={"X-Api-Key": ORGANIZATIONS[1].api_key}, excluded_checks=EXCLUDED)


def test_what_is_tried_is_answered_with_pages_as_well_as_with_refusals(url: str) -> None:
    marker = get(url).json()["meta"]["marker"]
    seen: Counter[int] = Counter()

    @bounded
    @given(operation.as_strategy())
    def ask(case: schemathesis.Case[Any]) -> None:
        if case.query.get("marker") is not None:
            case.query["marker"] = marker  # one that names an instance, unlike any that is made up
        answer = case.call(base_url=url, headers={"X-Api-Key": ORGANIZATIONS[0].api_key})
        case.validate_response(answer, excluded_checks=EXCLUDED)
        seen[answer.status_code] += 1

    ask()
    assert set(seen) >= {200, 400}
    assert seen[200] > 10


def get(url: str, query: str = "", token: str = ORGANIZATIONS[0].token) -> requests.Response:
    return requests.get(f"{url}/v1/instances?{query}", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def control(url: str, path: str, **body: Any) -> None:
    requests.post(f"{url}/_sandbox/{path}", json=body, timeout=5).raise_for_status()


@pytest.mark.parametrize("number", range(0, 1000, 100))
def test_every_instance_of_the_fleet_keeps_the_contract(number: int) -> None:
    with Sandbox(instances=1000) as sandbox:
        marker = ""
        for _ in range(number // 100):
            marker = f"&marker={get(sandbox.url, f'limit=100{marker}').json()['meta']['marker']}"
        page = get(sandbox.url, f"limit=100{marker}")
        assert len(page.json()["instances"]) == 100
        operation.validate_response(page)


@pytest.mark.parametrize(
    ("query", "token", "status"),
    [
        ("", "no-such-token", 401),
        ("", "sandbox-forbidden-token", 403),
        ("limit=0", ORGANIZATIONS[0].token, 400),
        ("marker=x", ORGANIZATIONS[0].token, 400),
    ],
)
def test_every_refusal_keeps_the_contract(url: str, query: str, token: str, status: int) -> None:
    answer = get(url, query, token)
    assert answer.status_code == status
    operation.validate_response(answer)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_every_scripted_error_keeps_the_contract(url: str, status: int) -> None:
    control(url, "faults", status=status)
    answer = get(url)
    assert answer.status_code == status
    operation.validate_response(answer)


def test_the_rate_limit_keeps_the_contract() -> None:
    with Sandbox(rate_per_minute=0) as sandbox:
        answer = get(sandbox.url)
    assert answer.status_code == 429
    operation.validate_response(answer)


GOOD_BY_THE_CONTRACT = {
    *("no-instances", "no-meta", "no-links", "only-ids", "emptied", "empty-page", "total-behind", "total-negative"),
    *("unknown-fields", "unknown-status", "too-many", "crowded", "overlong"),
}


@pytest.mark.parametrize("mode", sorted(set(DISTORTIONS) - {"links-elsewhere", "endless", "duplicates", "hostile"}))
def test_the_contract_tells_a_distorted_page_from_a_good_one(url: str, mode: str) -> None:
    control(url, "faults", mode=mode)
    answer = get(url)
    if mode in GOOD_BY_THE_CONTRACT:
        # The docs mark every member optional, close no object, name no statuses, and say how much of nothing.
        operation.validate_response(answer)
        return
    with pytest.raises((Failure, FailureGroup)):
        operation.validate_response(answer)
