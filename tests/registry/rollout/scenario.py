"""A model whose candidate is in a rollout, and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import ComparedMinute, PairedBlock, RolloutEvidence
from rondo.contracts.spec.file import parse_spec
from rondo.registry.model.model import Actor
from rondo.registry.rollout import controller
from rondo.registry.rollout.controller import RolloutController
from rondo.registry.rollout.rollout_view import rollout_view

from tests.registry.scenarios import FakeArtifacts, apply, handle

if TYPE_CHECKING:
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.rollout.rollout_view import RolloutView

    from tests.registry.scenarios import Backend

Make = Callable[..., Any]
NOW, HOUR = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1)
DECIDER = Actor("ana", "seen enough")
CANARY = "{strategy: canary, steps: [10, 50, 100], step_length: 1h, min_answers: 100, rollback_window: 2h}"


class RolloutScenario:
    """A model with a champion, version 1, and a candidate, version 2, whose rollout has begun."""

    def __init__(self, store: Backend, trained: Make) -> None:
        self.store, self.now, self._trained = store, NOW, trained
        self._controller = RolloutController(store, store, FakeArtifacts(), lambda: self.now)

    async def begin(self, spec_text: str, rollout: str) -> None:
        await apply(self.store, parse_spec(f"{spec_text}rollout: {rollout}\n"))
        await self.train("run-1")
        await self.train("run-2")
        await self.tick()

    async def train(self, run: str, **more: Any) -> None:
        model = await self.store.model("late")
        champion = (model.champion.number, 0.7) if model.champion else None
        await handle(self.store, self._trained(run, champion=champion, spec=model.spec, **more), run)

    async def tick(self, after: timedelta = timedelta(0)) -> None:
        self.now += after
        await self._controller.tick()

    async def compare(self, difference: float, *, blocks: int = 400, turned: bool = False, **minute: int) -> None:
        """Send the evidence of some hours, and of a minute in which both versions scored 5,000 requests."""
        rollout = await self.rollout()
        start, versions = NOW, (rollout.champion, rollout.candidate)
        parts = tuple(
            PairedBlock(
                start=start + timedelta(hours=n),
                rows=50,
                difference=(-1 if turned else 1) * difference + (0.001 if n % 2 else -0.001),
            )
            for n in range(blocks)
        )
        known = {"primary_scored": 5_000, "other_scored": 5_000, "other_answers": 3_000} | minute
        event = RolloutEvidence(
            model="late",
            primary=versions[1] if turned else versions[0],
            other=versions[0] if turned else versions[1],
            blocks=parts,
            complete_until=start + timedelta(hours=blocks),
            minutes=(ComparedMinute(start=start, **known),),  # type: ignore[arg-type]
        )
        async with self.store.work() as work:
            await controller.take_evidence(work, event, self.now)

    async def command(self, action: str) -> None:
        async with self.store.work() as work:
            await controller.command(work, "late", action, DECIDER, self.now)

    async def rollout(self) -> Rollout:
        found = await self.store.rollout("late")
        assert found is not None
        return found

    async def view(self) -> RolloutView:
        return rollout_view(await self.rollout(), await self.store.rollout_decisions("late"))

    async def routes(self) -> list[tuple[int, str, float]]:
        return [(r.model_version, r.role, r.share) for r in (await self.store.model("late")).routes]
