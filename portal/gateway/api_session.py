from functools import cached_property

import msgspec
from django.utils.crypto import salted_hmac

from portal.bycloud import Credential, Region


class ApiSession(msgspec.Struct, frozen=True, dict=True):
    """A region with a credential, on behalf of a member.

    `asker` is an opaque id of the member; empty for none. `is_shared`: other members use this credential, too.
    """

    region: Region
    credential: Credential
    asker: str = ""
    is_shared: bool = False

    @cached_property
    def scope(self) -> str:
        """The cache namespace: the region and a keyed hash of the credential. Every cache key begins with it.

        The hash is keyed by `SECRET_KEY`, so that credentials cannot be tried against the contents of the cache. It is
        made from the header that is sent, so that two credentials never share a namespace.
        """
        headers = sorted(self.credential.headers().items())
        message = repr((self.region.base_url, headers))
        return f"{self.region.code}:{salted_hmac('portal.gateway.scope', message, algorithm='sha256').hexdigest()}"
