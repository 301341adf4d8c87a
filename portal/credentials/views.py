"""Views to list, enter, replace, verify and remove credentials of a member or the team. Secrets are never shown."""

from dataclasses import dataclass

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from portal.accounts.mfa.reauthentication import after_reauthentication, reauthentication_before_form
from portal.audit.services import record_event
from portal.bycloud import Region
from portal.core.crypto import CryptoError
from portal.core.http import find_own_path
from portal.core.permissions import Capability, requires
from portal.core.request import MemberRequest, require_form, require_post
from portal.credentials import services as credential_services
from portal.credentials.forms import CredentialForm
from portal.credentials.models import Credential
from portal.credentials.owners import TEAM_CREDENTIALS, CredentialOwner, own_credentials
from portal.credentials.status import CredentialStatus, read_status


@dataclass(frozen=True)
class _Row:
    """A region with its credential. `has_team`: there is none, and the team's is used."""

    region: str
    status: CredentialStatus | None
    has_team: bool
    edit_url: str
    check_url: str


@requires(Capability.MANAGE_OWN_CREDENTIAL)
@require_safe
def list_credentials(request: MemberRequest) -> HttpResponse:
    return _show_list(request, own_credentials(request))


@requires(Capability.MANAGE_TEAM_CREDENTIAL)
@require_safe
def list_team_credentials(request: MemberRequest) -> HttpResponse:
    return _show_list(request, TEAM_CREDENTIALS)


@requires(Capability.MANAGE_OWN_CREDENTIAL)
@sensitive_post_parameters()
@require_form
def edit_credential(request: MemberRequest, region: Region) -> HttpResponse:
    return _edit(request, own_credentials(request), region)


@requires(Capability.MANAGE_TEAM_CREDENTIAL)
@sensitive_post_parameters()
@require_form
@reauthentication_before_form
def edit_team_credential(request: MemberRequest, region: Region) -> HttpResponse:
    return _edit(request, TEAM_CREDENTIALS, region)


@requires(Capability.MANAGE_OWN_CREDENTIAL)
@require_post
def remove_credential(request: MemberRequest, region: str) -> HttpResponse:
    return _remove(request, own_credentials(request), region)


@requires(Capability.MANAGE_TEAM_CREDENTIAL)
@require_post
@after_reauthentication
def remove_team_credential(request: MemberRequest, region: str) -> HttpResponse:
    return _remove(request, TEAM_CREDENTIALS, region)


@requires(Capability.MANAGE_OWN_CREDENTIAL)
@require_post
def check_credential(request: MemberRequest, region: Region) -> HttpResponse:
    """Verify the saved credential with ByCloud. It stays saved, whatever the result."""
    return _check(request, own_credentials(request), region)


@requires(Capability.MANAGE_TEAM_CREDENTIAL)
@require_post
def check_team_credential(request: MemberRequest, region: Region) -> HttpResponse:
    return _check(request, TEAM_CREDENTIALS, region)


def _show_list(request: MemberRequest, owner: CredentialOwner) -> HttpResponse:
    kept = {row.region: row for row in owner.list_rows().order_by("region")}
    team = set() if owner.is_team else set(TEAM_CREDENTIALS.list_rows().values_list("region", flat=True))
    rows = [
        _Row(
            region,
            status=read_status(row) if row else None,
            has_team=region in team,
            edit_url=owner.find_url("edit", region),
            check_url=owner.find_url("check", region),
        )
        for region in settings.BYCLOUD_REGIONS
        for row in [kept.pop(region, None)]
    ]
    left_over = [(row, owner.find_url("remove", row.region)) for row in kept.values()]
    return render(request, "credentials/list.html", {"owner": owner, "rows": rows, "left_over": left_over})


def _edit(request: MemberRequest, owner: CredentialOwner, region: Region) -> HttpResponse:
    if request.method == "POST":
        return _save(request, owner, region)
    row = owner.find_row(region.code)
    form = CredentialForm(initial={"kind": row.kind} if row else None)
    return _show_form(request, owner, region, form, row)


def _remove(request: MemberRequest, owner: CredentialOwner, region: str) -> HttpResponse:
    with transaction.atomic():
        row = owner.list_rows().select_for_update().filter(region=region).first()
        if row is not None:
            row.delete()
            record_event(owner.removal, request=request, member=request.user, subject=str(row))
    if row is None:
        messages.info(request, _("There is no credential for %(region)s to remove.") % {"region": region})
    else:
        messages.success(request, _("Credential for %(region)s removed.") % {"region": region})
    return redirect(owner.list_url)


def _check(request: MemberRequest, owner: CredentialOwner, region: Region) -> HttpResponse:
    row = owner.find_row(region.code)
    if row is None:
        messages.info(request, _("There is no credential for %(region)s to verify.") % {"region": region.code})
        return redirect(owner.list_url)
    try:
        checked = credential_services.check_again(row, region=region, member=request.user)
    except CryptoError as error:
        messages.error(request, str(error))
        return redirect(owner.list_url)
    messages.add_message(request, checked.level, checked.sentence)
    return redirect(owner.list_url)


def _save(request: MemberRequest, owner: CredentialOwner, region: Region) -> HttpResponse:
    form = CredentialForm(request.POST)
    if not form.is_valid() or form.credential is None or _refuse_at_once(form, request):
        return _show_form(request, owner, region, form, owner.find_row(region.code))
    try:
        saved = credential_services.take_credential(
            form.credential,
            member=owner.member,
            region=region,
            expires_on=form.cleaned_data["expires_on"],
            request=request,
        )
    except CryptoError as error:
        form.add_error(None, str(error))
    except credential_services.NotSavedError as error:
        form.refuse(str(error))
    else:
        messages.add_message(request, saved.level, saved.sentence)
        return redirect(_read_next(request) or owner.list_url)
    return _show_form(request, owner, region, form, owner.find_row(region.code))


def _refuse_at_once(form: CredentialForm, request: MemberRequest) -> bool:
    """Whether the text is the member's password. Rate-limited, so that an open session can't be used to guess it."""
    if ratelimit.consume(request, action="credential", user=request.user):
        return form.refuse_password_of(request.user)
    form.refuse(credential_services.describe_attempt_limit(60))
    return True


def _show_form(
    request: MemberRequest, owner: CredentialOwner, region: Region, form: CredentialForm, row: Credential | None
) -> HttpResponse:
    context = {
        "owner": owner,
        "form": form,
        "region": region,
        "credential": row,
        "status": read_status(row) if row else None,
        "action_url": owner.find_url("edit", region),
        "removal_url": owner.find_url("remove", region.code),
        "next": _read_next(request),
    }
    return render(request, "credentials/edit.html", context, status=422 if form.errors else 200)


def _read_next(request: MemberRequest) -> str:
    """The page to return to, if it is one of the portal's; otherwise an empty string."""
    return find_own_path(request, request.POST.get("next") or request.GET.get("next")) or ""
