"""The table of trials: the SQL, and the conversion of rows to values. Only the holder of a run's claim changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.trainer.run import Proposal, RecordedTrials, Trial

if TYPE_CHECKING:
    import asyncpg

    from rondo.trainer.run import Run

# A trial that was started this often and never ended is assumed to have killed the worker.
_LOST_AFTER = 2
# The parameters $1 to $3 are those of the claim, see `queue`.
_HELD = "exists (select from runs where id = $1 and worker = $2 and attempts = $3 and state = 'running')"

_FORGET_OTHER_ROWS = f"delete from trials where run_id = $1 and training_set_digest <> $4 and {_HELD}"  # noqa: S608 - our own text

_ALL = "select * from trials where run_id = $1 order by number"

_BEGIN = f"""
insert into trials (run_id, number, training_set_digest, params, origin) select $1, $5, $4, $6, $7 where {_HELD}
on conflict (run_id, number) do update set starts = trials.starts + 1
"""

_END = f"""
update trials set state = $5, split_values = $6, seconds = $7, detail = $8
where run_id = $1 and number = $4 and state = 'running' and {_HELD}
"""  # noqa: S608 - our own text


async def load(connection: asyncpg.pool.PoolConnectionProxy[Any], run: Run, training_set_digest: str) -> RecordedTrials:
    """Return the trials of a run on these rows, and delete its trials on other rows."""
    await connection.execute(_FORGET_OTHER_ROWS, run.id, run.worker, run.attempt, training_set_digest)
    rows = await connection.fetch(_ALL, run.id)
    running = next((row for row in rows if row["state"] == "running"), None)
    lost = running is not None and running["starts"] >= _LOST_AFTER
    ended = tuple(_trial(row) for row in rows if row["state"] != "running")
    return RecordedTrials(ended, _proposal(running) if running is not None and lost else None)


async def begin(
    connection: asyncpg.pool.PoolConnectionProxy[Any], run: Run, training_set_digest: str, proposal: Proposal
) -> bool:
    """Record the start of a trial. Return False if the claim is lost."""
    status = await connection.execute(
        _BEGIN, run.id, run.worker, run.attempt, training_set_digest, proposal.number, dict(proposal.params),
        proposal.origin,
    )  # fmt: skip
    return bool(status == "INSERT 0 1")


async def end(connection: asyncpg.pool.PoolConnectionProxy[Any], run: Run, trial: Trial) -> bool:
    """Record the end of a trial. Return False if the claim is lost."""
    status = await connection.execute(
        _END, run.id, run.worker, run.attempt, trial.number, trial.state, list(trial.values), trial.seconds,
        trial.detail,
    )  # fmt: skip
    return bool(status == "UPDATE 1")


def _proposal(row: asyncpg.Record) -> Proposal:
    return Proposal(row["number"], _params(row), row["origin"])


def _trial(row: asyncpg.Record) -> Trial:
    return Trial(
        row["number"], _params(row), row["origin"], tuple(row["split_values"]), row["state"], row["seconds"],
        row["detail"],
    )  # fmt: skip


def _params(row: asyncpg.Record) -> dict[str, Any]:
    # JSON has no tuples.
    return {name: tuple(each) if isinstance(each, list) else each for name, each in row["params"].items()}
