"""A dataset spec and the spec of a model that uses the dataset are never applied without seeing each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.contracts.spec.dataset.use import misfits
from rondo.registry.errors import RegistryError

from tests.registry.datasets.test_commands import declare, flights
from tests.registry.scenarios import OnPostgres, apply

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.spec.model import ModelSpec


async def test_of_a_model_and_a_dataset_that_do_not_fit_one_is_refused(
    registry_database: Database, spec: ModelSpec
) -> None:
    first, second = OnPostgres(registry_database), OnPostgres(registry_database)
    without = flights()
    del without.columns["distance"]
    for number in range(5):
        model = spec.model_copy(update={"model": f"late-{number}", "data": spec.data.model_copy(
            update={"dataset": f"flights-{number}"})})  # fmt: skip
        declared = without.model_copy(update={"dataset": f"flights-{number}"})
        ended = await asyncio.gather(apply(first, model), declare(second, declared), return_exceptions=True)
        assert sum(isinstance(each, RegistryError) for each in ended) == 1
    fits = {each.name: each.spec for each in await first.datasets()}
    assert all(
        not list(misfits(each, fits[each.data.dataset])) for each in await first.specs() if each.data.dataset in fits
    )
