"""A member's own credentials: listed by fingerprint, entered, replaced and removed. No page ever shows one."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.capabilities import Capability, requires
from portal.accounts.requests import MemberRequest
from portal.audit.events import record_event
from portal.audit.models import Act
from portal.bycloud import Region
from portal.credentials import intake, vault
from portal.credentials.forms import CredentialForm
from portal.credentials.models import Credential
from portal.web.addresses import find_own_path


@dataclass(frozen=True)
class _Row:
    region: str
    credential: Credential | None
    can_open: bool


@requires(Capability.KEEP_OWN_CREDENTIAL)
@require_safe
def list_credentials(request: MemberRequest) -> HttpResponse:
    kept = {row.region: row for row in Credential.objects.filter(member=request.user).order_by("region")}
    rows = [
        _Row(region, credential=row, can_open=row is not None and vault.can_open(row))
        for region in settings.BYCLOUD_REGIONS
        for row in [kept.pop(region, None)]
    ]
    return render(request, "credentials/list.html", {"rows": rows, "left_over": list(kept.values())})


@requires(Capability.KEEP_OWN_CREDENTIAL)
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def edit_credential(request: MemberRequest, region: Region) -> HttpResponse:
    if request.method == "POST":
        return _save(request, region)
    row = _find_row(request, region.code)
    form = CredentialForm(initial={"kind": row.kind} if row else None)
    return _show_form(request, region, form, row)


@requires(Capability.KEEP_OWN_CREDENTIAL)
@require_POST
def remove_credential(request: MemberRequest, region: str) -> HttpResponse:
    with transaction.atomic():
        row = Credential.objects.select_for_update().filter(member=request.user, region=region).first()
        if row is not None:
            row.delete()
            record_event(Act.CREDENTIAL_REMOVED, request=request, member=request.user, subject=str(row))
    if row is None:
        messages.info(request, _("There was no credential for %(region)s to remove.") % {"region": region})
    else:
        messages.success(request, _("The credential for %(region)s is removed.") % {"region": region})
    return redirect("credentials:list")


@requires(Capability.KEEP_OWN_CREDENTIAL)
@require_POST
def check_credential(request: MemberRequest, region: Region) -> HttpResponse:
    """Ask ByCloud about the credential that is kept; it stays, whatever the answer."""
    row = _find_row(request, region.code)
    if row is None:
        messages.info(request, _("There is no credential for %(region)s to check.") % {"region": region.code})
        return redirect("credentials:list")
    try:
        checked = intake.check_again(row, region=region)
    except vault.VaultError as error:
        messages.error(request, str(error))
        return redirect("credentials:list")
    if isinstance(checked, intake.Refused):
        messages.error(request, checked.sentence)
    else:
        tell = messages.success if checked.is_checked else messages.warning
        tell(request, checked.sentence)
    return redirect("credentials:list")


def _save(request: MemberRequest, region: Region) -> HttpResponse:
    form = CredentialForm(request.POST)
    if not form.is_valid() or form.credential is None:
        return _show_form(request, region, form, _find_row(request, region.code))
    try:
        taken = intake.take_credential(form.credential, member=request.user, region=region, request=request)
    except vault.VaultError as error:
        form.add_error(None, str(error))
        return _show_form(request, region, form, _find_row(request, region.code))
    if isinstance(taken, intake.Refused):
        form.refuse(taken.sentence)
        return _show_form(request, region, form, _find_row(request, region.code))
    tell = messages.success if taken.is_checked else messages.warning
    tell(request, taken.sentence)
    return redirect(_read_next(request) or reverse("credentials:list"))


def _show_form(request: MemberRequest, region: Region, form: CredentialForm, row: Credential | None) -> HttpResponse:
    context = {
        "form": form,
        "region": region,
        "credential": row,
        "can_open": row is None or vault.can_open(row),
        "next": _read_next(request),
    }
    return render(request, "credentials/edit.html", context, status=422 if form.errors else 200)


def _find_row(request: MemberRequest, region: str) -> Credential | None:
    return Credential.objects.filter(member=request.user, region=region).first()


def _read_next(request: MemberRequest) -> str:
    """Where the person came from, if that is a page of ours; else an empty string."""
    return find_own_path(request, request.POST.get("next") or request.GET.get("next")) or ""
