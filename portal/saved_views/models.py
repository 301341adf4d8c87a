from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import Member

NAME_LENGTH = 60
QUERY_LENGTH = 4000


class SavedView(models.Model):
    """`query` is a list's canonical query string: filters, page size, columns and density, but no marker.

    It is valid for one region: flavors and images have other ids elsewhere.
    """

    owner = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    region = models.CharField(max_length=63)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    query = models.CharField(max_length=QUERY_LENGTH)
    is_shared = models.BooleanField(_("shared with the team"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    # Set by `services.list_views`: whether it is the member's default view.
    is_default: bool

    class Meta:
        ordering = [Lower("name"), "pk"]
        constraints = [
            models.UniqueConstraint("owner", "region", Lower("name"), name="one_view_per_owner_region_and_name"),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultView(models.Model):
    """A member's default view of a region. Ignored if the view is not visible to the member any more."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    region = models.CharField(max_length=63)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="defaults")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "region"], name="one_default_view_per_member_and_region"),
        ]

    def __str__(self) -> str:
        return f"{self.member} {self.region}"
