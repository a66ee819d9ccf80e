"""The end of a run in PostgreSQL: its state, its event, and the data that waited for it, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.training import ModelTrained, TrainingFailed
from rondo.trainer.triggers.handle_trigger import reconsider
from rondo.trainer.triggers.postgres import PostgresWork

if TYPE_CHECKING:
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.training import TrainingSkipped
    from rondo.trainer.runs.run import Run
    from rondo.trainer.triggers.admission import RunState

# The claim of one worker, told from any other of the same run.
MINE = "id = $1 and worker = $2 and attempts = $3 and state = 'running'"


async def end(work: Transaction, run: Run, result: ModelTrained | TrainingFailed | TrainingSkipped) -> bool:
    """End a run, and let in what waited for its end; False when the run is no longer its worker's."""
    admission = PostgresWork(work)
    # A handler that sees the run in flight may be about to keep a trigger for its end: it has to be seen here.
    await admission.take_turn(run.model)
    state, detail = _outcome(result)
    status = await work.connection.execute(
        f"""update runs set state = $4, detail = $5, digest = $6, lease_until = null,
            finished_at = clock_timestamp() where {MINE}""",  # noqa: S608 - our own text
        run.id, run.worker, run.attempt, state, detail,
        result.digest if isinstance(result, ModelTrained) else None,
    )  # fmt: skip
    if status != "UPDATE 1":
        return False
    await work.publish(result, f"{run.id}.{state}")
    await reconsider(run.model, admission)
    return True


def gave_up(run: Run, attempts: int) -> TrainingFailed:
    """Return how a run ends that was begun `attempts` times and never came to its end."""
    reason = (
        f"the worker died {attempts} times during this run, most likely for lack of memory: shorten `trainer.window`,"
        " or give the trainer more"
    )
    return TrainingFailed(model=run.model, run_id=run.id, trigger=run.trigger, reason=reason, attempts=attempts)


def _outcome(result: ModelTrained | TrainingFailed | TrainingSkipped) -> tuple[RunState, str | None]:
    if isinstance(result, ModelTrained):
        return "trained", None
    if isinstance(result, TrainingFailed):
        return "failed", result.reason
    return "skipped", result.detail
