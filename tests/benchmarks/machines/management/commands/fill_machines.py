"""`manage.py fill_machines URL NAME`: copies a sandbox's fleet into the tables, and gives NAME access to the admin."""

from argparse import ArgumentParser
from typing import Any

import requests
from django.core.management.base import BaseCommand

from portal.accounts.models import Member
from tests.benchmarks.machines.models import Machine, SearchedMachine
from tests.benchmarks.servers import TOKEN


class Command(BaseCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url")
        parser.add_argument("name")

    def handle(self, *_args: Any, url: str, name: str, **_options: Any) -> None:
        Member.objects.filter(username=name).update(is_staff=True, is_superuser=True)
        marker = ""
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {TOKEN}"
            while True:
                query = {"limit": "100", **({"marker": marker} if marker else {})}
                instances = session.get(f"{url}/v1/instances", params=query, timeout=10).json()["instances"]
                if not instances:
                    return
                Machine._default_manager.bulk_create(map(Machine.of, instances))
                SearchedMachine._default_manager.bulk_create(map(SearchedMachine.of, instances))
                marker = instances[-1]["id"]
