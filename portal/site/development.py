"""The component page: every component of `templates/components.html` in every state. Only available with DEBUG."""

from datetime import timedelta

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.core.permissions import Capability, requires

SIZES = [
    {"limit": 20, "url": "", "is_current": True},
    {"limit": 50, "url": "?limit=50", "is_current": False},
    {"limit": 100, "url": "?limit=100", "is_current": False},
]
LONG = "a-name-that-is-long-enough-to-be-cut-in-every-table-" * 3


class SampleForm(forms.Form):
    """One field of each kind; the second half of the page shows them with errors."""

    name = forms.CharField(help_text="web-* finds names that begin with web-.", initial="web-01")
    size = forms.ChoiceField(choices=[("s", "Small"), ("m", "Medium")])
    kind = forms.ChoiceField(choices=[("bearer", "Bearer token"), ("pair", "API key pair")], widget=forms.RadioSelect)
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}))
    is_agreed = forms.BooleanField(label="Single keys", help_text="Such as / for the search.")
    fixed = forms.CharField(initial="cannot be changed", disabled=True, required=False)

    def clean(self) -> None:
        raise forms.ValidationError("These do not go together.")


@requires(Capability.PUBLIC)
@require_safe
def show_components(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": SampleForm(auto_id="sample_%s"),
        "refused": SampleForm({}, auto_id="refused_%s"),
        "tones": ["ok", "pending", "warn", "off", "error", "neutral"],
        "sizes": SIZES,
        "moments": [now, now - timedelta(minutes=3), now - timedelta(days=400)],
        "long": LONG,
    }
    return render(request, "development/components.html", context)


urlpatterns = [path("components/", show_components, name="components")]
