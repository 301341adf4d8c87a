from django.db import models

from portal.accounts.models import Member


class Visit(models.Model):
    """When a member last opened the changes of a region, and up to which one they were recorded then.

    `seen_at` and `seen` belong to the visit that goes on, `since_at` and `since` to the one before: "since my last
    visit" begins there. Both are the number of a change; what was recorded later has a larger one. `since_at` is null
    during the first visit.
    """

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    region = models.CharField(max_length=63)
    seen_at = models.DateTimeField()
    seen = models.BigIntegerField(default=0)
    since_at = models.DateTimeField(null=True)
    since = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "region"], name="one_visit_per_member_and_region")]

    def __str__(self) -> str:
        return f"{self.member} {self.region}"
