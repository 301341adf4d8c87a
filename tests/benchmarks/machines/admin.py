"""Django's list of the instances, with as many columns and rows as the portal's page, a filter and a search."""

from django.contrib import admin

from tests.benchmarks.machines.models import Machine


@admin.register(Machine)
class MachineAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "status", "addresses", "flavor", "image", "tags", "created_at")
    list_filter = ("status",)
    search_fields = ("name",)
    list_per_page = 20
