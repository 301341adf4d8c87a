"""The owner of the credentials on a page: a member or the team. The pages are otherwise the same."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from portal.accounts.models import Member
from portal.audit.models import Action
from portal.bycloud import Region
from portal.core.request import MemberRequest
from portal.credentials.models import Credential


@dataclass(frozen=True)
class CredentialOwner:
    """A member, or the team (`member` is None). Its queries only return the owner's credentials."""

    member: Member | None

    @property
    def is_team(self) -> bool:
        return self.member is None

    @property
    def removal(self) -> Action:
        return Action.TEAM_CREDENTIAL_REMOVED if self.is_team else Action.CREDENTIAL_REMOVED

    @property
    def list_url(self) -> str:
        return self.find_url("list")

    def list_rows(self) -> QuerySet[Credential]:
        return Credential.objects.filter(member=self.member)

    def find_row(self, region: str) -> Credential | None:
        return self.list_rows().filter(region=region).first()

    def find_url(self, page: str, region: Region | str | None = None) -> str:
        space = "team_credentials" if self.is_team else "credentials"
        return reverse(f"{space}:{page}", args=[region] if region else [])


def own_credentials(request: MemberRequest) -> CredentialOwner:
    return CredentialOwner(request.user)


TEAM_CREDENTIALS = CredentialOwner(None)
