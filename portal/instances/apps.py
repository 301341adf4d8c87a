"""The instances app: list, detail, raw JSON. It has no models; its data comes from the gateway."""

from django.apps import AppConfig


class InstancesConfig(AppConfig):
    name = "portal.instances"
