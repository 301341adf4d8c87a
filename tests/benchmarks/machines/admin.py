"""Django's list of the instances, with as many columns and rows as the portal's page, a filter and a search."""

from django.contrib import admin

from tests.benchmarks.machines.models import Machine, SearchedMachine


@admin.register(Machine)
class MachineAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "status", "addresses", "flavor", "image", "tags", "created_at")
    list_filter = ("status",)
    search_fields = ("name",)
    list_per_page = 20


@admin.register(SearchedMachine)
class SearchedMachineAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Searches what the portal does."""

    list_display = MachineAdmin.list_display
    list_filter = MachineAdmin.list_filter
    list_per_page = MachineAdmin.list_per_page
    search_fields = (
        *("id", "name", "status", "addresses", "flavor", "image", "tags", "description", "crn"),
        *("networks", "mac_addresses", "security_groups", "key_names", "volumes", "metadata"),
    )
