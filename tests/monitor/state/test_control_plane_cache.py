"""The profiles that are kept in memory."""

from __future__ import annotations

from rondo.monitor.state.control_plane_cache import ControlPlaneCache

from tests.monitor.builders import PROFILE
from tests.monitor.fakes import MemoryStore


async def test_profiles_of_former_versions_are_dropped_and_loaded_again_when_required() -> None:
    store = MemoryStore()
    for version in range(40):
        await store.save_profile(f"v{version}", PROFILE)
    cache = ControlPlaneCache(store, store)
    for version in range(40):
        await cache.load_references({"v0", f"v{version}"})
    assert {"v0", "v39", "v38"} <= cache.references.keys()
    assert len(cache.references) <= 18
    await cache.load_references({"v0", "v1"})
    assert "v1" in cache.references
