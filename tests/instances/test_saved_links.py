"""The saved views of the list page are read by SQL of their own: by the same rule as those of the page of views."""

import pytest

from portal.accounts.models import Member
from portal.saved_views.models import DefaultView, SavedView
from portal.saved_views.services import list_links, list_views


@pytest.mark.django_db
def test_the_links_on_a_list_are_the_views_that_the_member_may_see(ada: Member, otto: Member) -> None:
    for region in ("spo1", "fra1"):
        for owner in (ada, otto):
            for name, is_shared in (("Private", False), ("shared", True), ("Äzz", True), ("ärmel", True)):
                SavedView.objects.create(owner=owner, region=region, name=name, query="limit=50", is_shared=is_shared)
    shared, private = (SavedView.objects.get(owner=otto, region="spo1", name=name) for name in ("shared", "Private"))
    DefaultView.objects.create(member=otto, region="spo1", view=private)
    DefaultView.objects.create(member=ada, region="spo1", view=shared)
    for member in (ada, otto):
        links, views = list_links(member, "spo1"), list_views(member, "spo1")
        assert len(links) == 7
        shown = [
            (one.pk, one.name, one.query, one.is_shared, one.owner_id, one.owner_name, one.default_id is not None)
            for one in links
        ]
        # In the same order, too.
        assert shown == [
            (one.pk, one.name, one.query, one.is_shared, one.owner.pk, one.owner.username, one.is_default)
            for one in views
        ]
