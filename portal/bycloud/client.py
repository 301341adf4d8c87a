"""The client: `Client(region, credential).list_instances(InstanceQuery(...))`."""

from datetime import datetime

import msgspec

from portal.bycloud.credentials import Credential
from portal.bycloud.queries import InstanceQuery
from portal.bycloud.regions import Region
from portal.bycloud.resources import InstancePage, decode_instance_page


class Limits(msgspec.Struct, frozen=True):
    """How far one exchange may go, and by which road."""

    deadline_seconds: float = 10.0
    body_bytes: int = 16 * 1024 * 1024
    extra_tries: int = 2
    proxy: str | None = None
    ca_bundle: str | None = None
    sends_region_header: bool = False


class Answer(msgspec.Struct, frozen=True):
    """One successful answer (200), undecoded: what the gateway keeps."""

    body: bytes
    received_at: datetime
    elapsed_seconds: float
    request_id: str | None = None
    tries: int = 1


class Client:
    """`GET /v1/instances` of one region with one credential."""

    def __init__(self, region: Region, credential: Credential, *, limits: Limits = Limits()) -> None:
        self.region = region
        self.credential = credential
        self.limits = limits

    def list_instances(self, query: InstanceQuery) -> InstancePage:
        return decode_instance_page(self.fetch_instances(query).body)

    def fetch_instances(self, query: InstanceQuery) -> Answer:
        raise NotImplementedError
