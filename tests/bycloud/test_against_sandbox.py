"""The client over real HTTP against the sandbox, which was written independently from the docs."""

from collections import Counter
from collections.abc import Callable

import pytest

from portal.bycloud import (
    ApiKey,
    BearerToken,
    ByCloudError,
    Client,
    Credential,
    Forbidden,
    Instance,
    InstancePage,
    InstanceQuery,
    InvalidRequest,
    InvalidResponse,
    Limits,
    PageLinks,
    RateLimited,
    Region,
    ServerFault,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from portal.sandbox.server import Sandbox
from tests.upstream import Upstream

ACME = BearerToken("sandbox-acme-token")
LIMITS = Limits(deadline_seconds=3.0)
Question = tuple[dict[str, object], Callable[[Instance], object]]
"""Filters, and which instances fit them."""


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(Region("spo1", sandbox.url), ACME, limits=LIMITS)


def list_all(client: Client, **filters: object) -> list[Instance]:
    """Every instance that fits, by markers, 40 a page."""
    found: list[Instance] = []
    marker = None
    while True:
        page = client.list_instances(InstanceQuery(**{"limit": 40, "marker": marker} | filters))  # type: ignore[arg-type]
        found += page.instances or ()
        assert page.meta
        if not page.meta.has_more:
            return found
        marker = page.meta.marker


@pytest.mark.parametrize(
    ("credential", "count"),
    [
        (ACME, 150),
        (ApiKey("AKIASANDBOXACME", "sandbox-acme-secret"), 150),
        (BearerToken("sandbox-globex-token"), 12),
        (ApiKey("AKIASANDBOXGLOBEX", "sandbox-globex-secret"), 12),
        (BearerToken("sandbox-initech-token"), 0),
        (ApiKey("AKIASANDBOXINITECH", "sandbox-initech-secret"), 0),
    ],
)
def test_each_credential_sees_its_own_organization(sandbox: Sandbox, credential: Credential, count: int) -> None:
    client = Client(Region("spo1", sandbox.url), credential, limits=LIMITS)
    ids = [instance.id for instance in list_all(client)]
    assert len(set(ids)) == len(ids) == count


@pytest.mark.parametrize(
    ("credential", "kind", "status"),
    [
        (BearerToken("wrong"), Unauthorized, 401),
        (ApiKey("AKIASANDBOXACME", "wrong"), Unauthorized, 401),
        (BearerToken("sandbox-forbidden-token"), Forbidden, 403),
    ],
)
def test_a_credential_that_is_not_taken_is_told_with_status_message_and_request_id(
    sandbox: Sandbox, upstream: Upstream, credential: Credential, kind: type[ByCloudError], status: int
) -> None:
    upstream.clear()
    with pytest.raises(kind) as caught:
        Client(Region("spo1", sandbox.url), credential, limits=LIMITS).list_instances(InstanceQuery())
    assert caught.value.status == status
    assert caught.value.message
    assert (caught.value.request_id or "").startswith("req-")
    assert len(upstream.requests()) == 1


def test_a_page_has_what_the_docs_say(client: Client) -> None:
    answer = client.fetch_instances(InstanceQuery())
    page = client.list_instances(InstanceQuery())
    assert (answer.request_id or "").startswith("req-")
    assert page.instances
    assert len(page.instances) == 20
    assert page.meta
    assert (page.meta.total, page.meta.limit, page.meta.has_more) == (150, 20, True)
    assert page.meta.marker == page.instances[-1].id
    assert page.links
    assert page.links.next
    assert f"marker={page.meta.marker}" in page.links.next


def test_every_field_of_every_instance_is_understood(client: Client) -> None:
    instances = list_all(client)
    for name in Instance.__struct_fields__:
        assert any(getattr(instance, name) is not None for instance in instances), name
    assert {"ACTIVE", "ERROR"} <= {instance.status for instance in instances}


def test_each_filter_narrows_as_documented(client: Client) -> None:
    everything = list_all(client)
    pattern = next(each for each in everything if each.name and each.flavor and each.image and each.tags)
    assert pattern.name
    assert pattern.flavor
    assert pattern.image
    assert pattern.tags
    prefix, flavor, image = pattern.name[:3], pattern.flavor, pattern.image
    questions: list[Question] = [
        ({"name": pattern.name}, lambda each: each.name == pattern.name),
        ({"name": f"{prefix}*"}, lambda each: each.name and each.name.startswith(prefix)),
        ({"status": pattern.status}, lambda each: each.status == pattern.status),
        ({"tags": pattern.tags}, lambda each: set(pattern.tags or ()) <= set(each.tags or ())),
        ({"flavor_id": flavor.id}, lambda each: each.flavor and each.flavor.id == flavor.id),
        ({"image_id": image.id}, lambda each: each.image and each.image.id == image.id),
        (
            {"name": pattern.name, "status": pattern.status, "tags": pattern.tags},
            lambda each: (each.name, each.status) == (pattern.name, pattern.status),
        ),
    ]
    for filters, fits in questions:
        expected = [each.id for each in everything if fits(each)]
        assert pattern.id in expected
        assert [each.id for each in list_all(client, **filters)] == expected, filters


def test_every_name_can_be_asked_for_however_odd_it_is(client: Client) -> None:
    for instance in list_all(client):
        # A name that ends in a star cannot be asked for exactly; the docs know no way to escape it.
        assert instance.name is None or instance.id in {each.id for each in list_all(client, name=instance.name)}


@pytest.mark.parametrize(
    "query", [InstanceQuery(limit=-1), InstanceQuery(marker="nothing"), InstanceQuery(image_id="x")]
)
def test_a_parameter_that_is_not_taken_is_an_invalid_request_with_details(client: Client, query: InstanceQuery) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.list_instances(query)
    assert caught.value.status == 400
    assert caught.value.details


@pytest.mark.parametrize(
    ("fault", "kind", "requests"),
    [
        ({"status": 400}, InvalidRequest, 1),
        ({"status": 401}, Unauthorized, 1),
        ({"status": 403}, Forbidden, 1),
        ({"status": 404}, InvalidRequest, 1),
        ({"status": 422}, InvalidRequest, 1),
        ({"status": 429}, RateLimited, 1),
        ({"status": 500}, ServerFault, 1),
        ({"status": 502}, ServerFault, 3),
        ({"status": 503}, ServerFault, 3),
        ({"status": 504}, ServerFault, 3),
        ({"mode": "close"}, Unreachable, 3),
        ({"mode": "reset"}, Unreachable, 3),
        ({"mode": "cut"}, Unreachable, 3),
        ({"mode": "drip"}, TimedOut, 1),
        ({"mode": "drip-head"}, TimedOut, 1),
        ({"delay": 20}, TimedOut, 1),
        ({"mode": "not-json"}, InvalidResponse, 1),
        ({"mode": "html"}, InvalidResponse, 1),
        ({"mode": "array"}, InvalidResponse, 1),
        ({"mode": "empty"}, InvalidResponse, 1),
        ({"mode": "huge"}, InvalidResponse, 1),
        ({"mode": "gzip-bomb"}, InvalidResponse, 1),
        ({"mode": "redirect"}, InvalidResponse, 1),
        ({"body": {"instances": {}}}, InvalidResponse, 1),
    ],
    ids=str,
)
def test_each_fault_has_its_error_and_number_of_requests(
    client: Client, upstream: Upstream, fault: dict[str, object], kind: type[ByCloudError], requests: int
) -> None:
    upstream.clear()
    upstream.script(times=None, **fault)
    with pytest.raises(ByCloudError) as caught:
        client.list_instances(InstanceQuery())
    assert type(caught.value) is kind
    assert len(upstream.requests()) == requests


@pytest.mark.parametrize("fault", [{"status": 503}, {"mode": "close"}, {"mode": "reset"}, {"mode": "cut"}], ids=str)
def test_a_fault_that_passes_is_not_noticed(client: Client, upstream: Upstream, fault: dict[str, object]) -> None:
    upstream.script(times=2, **fault)
    answer = client.fetch_instances(InstanceQuery())
    assert answer.tries == 3


def test_a_rate_limit_of_the_sandbox_says_when_to_come_back() -> None:
    with Sandbox(instances=1, rate_per_minute=1) as small:
        client = Client(Region("spo1", small.url), ACME, limits=LIMITS)
        answer = client.fetch_instances(InstanceQuery())
        with pytest.raises(RateLimited) as caught:
            client.list_instances(InstanceQuery())
    assert caught.value.retry_at
    assert 0 < (caught.value.retry_at - answer.received_at).total_seconds() <= 61


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("empty-object", InstancePage()),
        ("null-page", InstancePage()),
    ],
)
def test_a_page_that_lacks_everything_is_a_page(
    client: Client, upstream: Upstream, mode: str, expected: InstancePage
) -> None:
    upstream.script(mode=mode)
    assert client.list_instances(InstanceQuery()) == expected


@pytest.mark.parametrize("part", ["instances", "meta", "links"])
def test_a_page_that_lacks_a_part_is_a_page(client: Client, upstream: Upstream, part: str) -> None:
    whole = client.list_instances(InstanceQuery(limit=5))
    upstream.script(mode=f"no-{part}")
    page = client.list_instances(InstanceQuery(limit=5))
    others = {"instances", "meta", "links"} - {part}
    assert getattr(page, part) is None
    assert all(getattr(page, name) == getattr(whole, name) for name in others)


def test_hollow_and_doubled_instances_come_as_they_are(client: Client, upstream: Upstream) -> None:
    regular = client.list_instances(InstanceQuery(limit=3)).instances or ()
    pages = {}
    for mode in ("nulls", "only-ids", "duplicates", "unknown-fields"):
        upstream.script(mode=mode)
        pages[mode] = client.list_instances(InstanceQuery(limit=3)).instances
    assert pages["nulls"] == (Instance(),) * 3
    assert pages["only-ids"] == tuple(Instance(id=each.id) for each in regular)
    assert set(Counter(each.id for each in pages["duplicates"] or ()).values()) == {2}
    assert pages["unknown-fields"] == regular


def test_hostile_text_and_foreign_links_come_as_they_are_and_lead_nowhere(client: Client, upstream: Upstream) -> None:
    upstream.script(mode="hostile")
    names = {each.name for each in client.list_instances(InstanceQuery()).instances or ()}
    assert "<script>alert(1)</script>" in names
    assert "x" * 10_000 in names
    upstream.script(mode="links-elsewhere")
    links = client.list_instances(InstanceQuery()).links
    assert isinstance(links, PageLinks)
    assert links.next
    assert links.next.startswith("https://elsewhere.invalid/")
