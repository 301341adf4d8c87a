"""On whose behalf something is read: a region with a credential, and the name under which its answers are kept."""

from functools import cached_property

import msgspec
from django.utils.crypto import salted_hmac

from portal.bycloud import Credential, Region


class ApiSession(msgspec.Struct, frozen=True, dict=True):
    """`asker` names the person who asks, in a way that only means something to the caller; empty: nobody in
    particular. `is_shared`: others ask with this credential, too.
    """

    region: Region
    credential: Credential
    asker: str = ""
    is_shared: bool = False

    @cached_property
    def scope(self) -> str:
        """The region and a keyed hash of the credential: what every key in the store begins with.

        Keyed by `SECRET_KEY`, so that whoever reads the store cannot try credentials against it, and made from the
        header that is sent, so that two credentials never share a scope.
        """
        headers = sorted(self.credential.headers().items())
        message = repr((self.region.base_url, headers))
        return f"{self.region.code}:{salted_hmac('portal.gateway.scope', message, algorithm='sha256').hexdigest()}"
