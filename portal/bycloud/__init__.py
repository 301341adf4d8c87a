"""A typed client for the ByCloud API. Imports neither Django nor the rest of the portal.

Based on the docs pages "List instances" (api/compute/list-instances), api/errors, api/rate-limits and
api/authentication. Where they leave something open, it is lenient in what it reads and strict in what it sends.
"""

from portal.bycloud.client import ApiResponse, Client, Limits
from portal.bycloud.credentials import ApiKey, BearerToken, Credential
from portal.bycloud.errors import (
    ByCloudError,
    Forbidden,
    InvalidRequest,
    InvalidResponse,
    RateLimit,
    RateLimited,
    ServerFault,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from portal.bycloud.queries import DEFAULT_LIMIT, LARGEST_LIMIT, InstanceQuery
from portal.bycloud.regions import Region
from portal.bycloud.resources import (
    Address,
    Fault,
    Flavor,
    Image,
    Instance,
    InstancePage,
    PageLinks,
    PageMeta,
    PartialInstance,
    PartialPage,
    SecurityGroup,
    VolumeAttachment,
    decode_instance,
    decode_instance_page,
    is_unreadable,
    list_addresses,
    list_mac_addresses,
    list_unreadable,
    list_unreadable_paths,
    split_instances,
    trim_instance_page,
)

__all__ = [
    "DEFAULT_LIMIT",
    "LARGEST_LIMIT",
    "Address",
    "ApiKey",
    "ApiResponse",
    "BearerToken",
    "ByCloudError",
    "Client",
    "Credential",
    "Fault",
    "Flavor",
    "Forbidden",
    "Image",
    "Instance",
    "InstancePage",
    "InstanceQuery",
    "InvalidRequest",
    "InvalidResponse",
    "Limits",
    "PageLinks",
    "PageMeta",
    "PartialInstance",
    "PartialPage",
    "RateLimit",
    "RateLimited",
    "Region",
    "SecurityGroup",
    "ServerFault",
    "TimedOut",
    "Unauthorized",
    "Unreachable",
    "VolumeAttachment",
    "decode_instance",
    "decode_instance_page",
    "is_unreadable",
    "list_addresses",
    "list_mac_addresses",
    "list_unreadable",
    "list_unreadable_paths",
    "split_instances",
    "trim_instance_page",
]
