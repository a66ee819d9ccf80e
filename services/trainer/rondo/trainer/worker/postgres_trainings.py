"""The table of the states of models after their trainings: the SQL, and the conversion of rows to values."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from rondo.trainer.adaptation.record import ChunkScore
from rondo.trainer.adaptation.training_window import AdaptationState, ScoredChunk, Unconfirmed
from rondo.trainer.dataset.columns import from_micros, micros
from rondo.trainer.run import Training

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import asyncpg

    from rondo.trainer.run import Ended, Run

    Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Any]"

# A run from before a removal of its model saves nothing.
_SAVE = """
insert into trainings (model, spec_revision, first_rows, rows, fitted, until, labelled, growth, gain, window_start,
    leader, basis, unconfirmed_since, unconfirmed_rows, loss)
select model, spec_revision, $2, $3, $4, $5, labelled - $6, $7, $8, $9, $10, $11, $12, $13, $14 from runs
where id = $1
    and spec_revision >= coalesce((select removed_revision from specs where specs.model = runs.model), 0)
on conflict (model) do update set spec_revision = excluded.spec_revision, rows = excluded.rows,
    fitted = excluded.fitted, until = excluded.until, labelled = excluded.labelled, growth = excluded.growth,
    gain = excluded.gain, window_start = excluded.window_start, leader = excluded.leader,
    basis = excluded.basis, unconfirmed_since = excluded.unconfirmed_since,
    unconfirmed_rows = excluded.unconfirmed_rows, loss = excluded.loss
"""

_CORRECT = """
update trainings set labelled = runs.labelled - $2 from runs where runs.id = $1 and trainings.model = runs.model
"""

_SAVE_SCORE = """
insert into strategy_scores (model, chunk, since, until, strategy, rows, mean, quarters)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def load(connection: Connection, model: str) -> Training | None:
    """Return the state of a model after its last training. None before the first training."""
    row = await connection.fetchrow("select * from trainings where model = $1", model)
    if row is None:
        return None
    scores = await connection.fetch("select * from strategy_scores where model = $1 order by chunk, strategy", model)
    record = tuple(_chunk(list(rows)) for _, rows in groupby(scores, key=lambda each: each["chunk"]))
    start, again = row["window_start"], row["unconfirmed_since"]
    unconfirmed = None if again is None else Unconfirmed(micros(again), row["unconfirmed_rows"])
    state = AdaptationState(
        row["first_rows"], None if start is None else micros(start), row["leader"], record, unconfirmed
    )
    return Training(
        row["rows"], row["fitted"], row["until"], state, row["growth"], row["gain"], row["basis"], row["loss"]
    )


async def save(connection: Connection, run: Run, ended: Ended) -> None:
    """Save the state of a model after a run, and the number of labelled rows that are new after it."""
    known = ended.training
    if known is None:
        if ended.unfitted is not None:
            await connection.execute(_CORRECT, run.id, ended.unfitted)
        return
    state, again = known.state, known.state.unconfirmed
    status = await connection.execute(
        _SAVE, run.id, state.first, known.rows, known.fitted, known.until, ended.unfitted or 0,
        known.growth, known.gain, None if state.since is None else from_micros(state.since), state.leader, known.basis,
        None if again is None else from_micros(again.since), None if again is None else again.rows, known.loss,
    )  # fmt: skip
    if status != "INSERT 0 1":
        return
    await connection.execute("delete from strategy_scores where model = $1", run.model)
    await connection.executemany(_SAVE_SCORE, list(_scores(run.model, state)))


def _chunk(rows: Sequence[asyncpg.Record]) -> ScoredChunk:
    scores = {row["strategy"]: ChunkScore(row["rows"], row["mean"], tuple(row["quarters"])) for row in rows}
    return ScoredChunk(micros(rows[0]["since"]), micros(rows[0]["until"]), scores)


def _scores(model: str, state: AdaptationState) -> Iterator[tuple[Any, ...]]:
    for number, chunk in enumerate(state.record):
        for strategy, score in chunk.scores.items():
            yield (
                model, number, from_micros(chunk.since), from_micros(chunk.until), strategy, score.rows, score.mean,
                list(score.quarters),
            )  # fmt: skip
