import unicodedata

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.saved_views.models import SavedView


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes none at run time
    class Meta:
        model = SavedView
        fields = ("name", "is_shared")
        labels = {"is_shared": _("Share with the team")}
        widgets = {"name": forms.TextInput({"autocomplete": "off"})}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if any(unicodedata.category(sign) in {"Cc", "Zl", "Zp"} for sign in name):
            raise forms.ValidationError(_("Contains a control character."))
        return name

    def refuse_name(self) -> None:
        self.add_error("name", _("You already have a view with this name."))
