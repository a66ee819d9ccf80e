"""Reading real Delta tables, as ingestion writes them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from rondo.contracts.events.logs import predictions_schema
from rondo.trainer.dataset.delta_tables import DeltaDatasets
from rondo.trainer.dataset.training_set import RowsLeftOut
from rondo.trainer.errors import ColumnMissingError, DatasetMissingError

from tests.trainer import builders

if TYPE_CHECKING:
    from pathlib import Path


def write_feedback(
    data: Path,
    rows: pl.DataFrame,
    known_after: timedelta,
    *,
    commits: int = 1,
    event_time: pl.Expr | None = None,
    identified: str | None = None,
    labelled_rows: int | None = None,
    role: str = "primary",
) -> None:
    """Land predictions of these rows and outcomes of the last `labelled_rows`, in the given number of commits.

    Outcomes name the entity, or the id if `identified` has the prefix of the request ids.
    """
    requests = pl.concat_str(pl.lit(identified or "request-"), "flight_id").alias("id")
    names = predictions_schema(builders.spec().features, ()).names
    predictions = rows.select(
        requests,
        pl.col("flight_id").alias("entity"),
        (pl.col("departure") if event_time is None else event_time).alias("event_time"),
        pl.col("departure").alias("made_at"),
        pl.col("carrier").alias("feature.carrier"),
        pl.col("distance").alias("feature.distance"),
        pl.lit(0.5, pl.Float32).alias("output.score"),
        pl.lit(role).alias("role"),
    ).select(*names, "output.score", "role")
    outcomes = rows.tail(rows.height if labelled_rows is None else labelled_rows).select(
        pl.lit(None, pl.String).alias("id") if identified is None else requests,
        pl.col("flight_id").alias("entity"),
        pl.col("late").alias("outcome_label" if rows.schema["late"] == pl.String else "outcome"),
        (pl.col("departure") + known_after).alias("known_at"),
    )
    for name, frame in (("predictions", predictions), ("outcomes", outcomes)):
        folder = data / "feedback" / "flight-delay" / name
        folder.mkdir(parents=True, exist_ok=True)
        size = -(-frame.height // commits)
        for part in frame.iter_slices(max(size, 1)):
            write_deltalake(str(folder), part, mode="append")


@pytest.mark.medium
def test_published_and_served_rows_are_one_training_set_with_the_versions_they_are_of(data: Path) -> None:
    published = builders.rows(100)
    served = builders.rows(50, builders.START + timedelta(minutes=50, days=0), "f", 3).with_columns(
        flight_id=published["flight_id"][50:], departure=published["departure"][50:]
    )
    builders.write_batch(data, published)
    write_feedback(data, served, timedelta(hours=3))
    found = DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(hours=1))
    assert found.as_of - (served["departure"].max() + timedelta(hours=3)) <= timedelta(milliseconds=1)
    expected = pl.concat([published[:50], served]).sort("departure")
    assert found.rows.select("flight_id", "distance").equals(expected.select("flight_id", "distance"))
    assert [(v.table, v.version) for v in found.data] == [
        ("datasets/flights", 0), ("feedback/flight-delay/predictions", 0), ("feedback/flight-delay/outcomes", 0),
    ]  # fmt: skip
    assert found.data[0].digest == builders.DIGEST
    assert len({v.digest for v in found.data}) == 3, "a foreign writer's table has the digest of its files"


@pytest.mark.medium
def test_features_are_joined_from_the_table_of_their_source_and_corrected_from_the_next_batch_on(data: Path) -> None:
    builders.write_batch(data, builders.rows(300))
    builders.write_weather(data, 3)
    datasets, spec, until = DeltaDatasets(str(data)), builders.with_wind(), builders.START + timedelta(days=1)
    found = datasets.read(spec, until, (builders.WEATHER,))
    # A reading is known an hour later, and the last one counts until it is four hours old.
    assert found.rows["wind"].to_list() == [float(min(minute // 60, 2)) for minute in range(300)]
    assert [(v.table, v.version) for v in found.data] == [("datasets/flights", 0), ("datasets/weather", 0)]
    assert (found.sources, found.left_out) == ((builders.WEATHER,), None)
    builders.write_weather(data, 3, "w2")
    again = datasets.read(spec, until, (builders.WEATHER,))
    assert again.digest == found.digest
    assert [(v.table, v.version) for v in again.data] == [("datasets/flights", 0), ("datasets/weather", 1)]


@pytest.mark.medium
def test_a_source_that_nothing_was_published_to_leaves_out_the_rows_that_need_it(data: Path) -> None:
    builders.write_batch(data, builders.rows(300))
    datasets, until = DeltaDatasets(str(data)), builders.START + timedelta(days=1)
    found = datasets.read(builders.with_wind(), until, (builders.WEATHER,))
    assert (found.rows.height, found.left_out) == (0, RowsLeftOut(300, {"wind": 300}))
    optional = datasets.read(builders.with_wind(optional=True), until, (builders.WEATHER,))
    assert (optional.rows.height, optional.rows["wind"].null_count(), optional.left_out) == (300, 300, None)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("task", "stored", "expected"),
    [
        ("multiclass", pl.Series(["oak", "elm"] * 50), ["oak", "elm"] * 50),
        ("regression", pl.Series([0.1, 16777217.0] * 50), [0.1, 16777217.0] * 50),
        ("regression", pl.Series(["0.1", "oak"] * 50), [0.1] * 50),
    ],
)
def test_labels_are_read_as_the_task_stores_them(
    data: Path, task: str, stored: pl.Series, expected: list[object]
) -> None:
    rows = builders.rows(100).with_columns(stored.alias("late"))
    builders.write_batch(data, rows)
    of_task = pl.Series(expected, dtype=stored.dtype if task == "multiclass" else pl.Float64)
    served = builders.rows(len(expected), builders.START + timedelta(days=1), "g").with_columns(of_task.alias("late"))
    write_feedback(data, served, timedelta(hours=3))
    spec = builders.spec().model_copy(update={"task": task})
    found = DeltaDatasets(str(data)).read(spec, builders.START + timedelta(days=2))
    assert found.rows["late"].to_list() == expected * 2


@pytest.mark.medium
def test_the_window_and_the_bound_of_rows(data: Path) -> None:
    builders.write_batch(data, builders.rows(3 * 24 * 60))
    write_feedback(data, builders.rows(60, builders.START + timedelta(days=3), "g"), timedelta(hours=3))
    datasets = DeltaDatasets(str(data))
    spec = builders.spec(trainer={"window": "1d"})
    assert datasets.rows_at_most(spec) == 3 * 24 * 60 + 60
    by_hand = datasets.read(spec, builders.START + timedelta(days=4000))
    assert by_hand.rows.height in (24 * 60, 24 * 60 + 1)
    assert by_hand.until - builders.START < timedelta(days=3, hours=1, seconds=1)
    assert by_hand.rows["departure"].max() <= by_hand.until


@pytest.mark.medium
def test_predictions_without_an_outcome_do_not_move_the_window(data: Path) -> None:
    """A model of old data gets requests today: the last week of served rows has no labels."""
    builders.write_batch(data, builders.rows(100))
    labelled = builders.rows(100, builders.START + timedelta(days=1), "g")
    write_feedback(data, labelled, timedelta(hours=3))
    unlabelled = builders.rows(10, builders.START + timedelta(days=4000), "h")
    write_feedback(data, unlabelled, timedelta(hours=3), labelled_rows=0)
    shadow = builders.rows(10, builders.START + timedelta(days=2000), "s")
    write_feedback(data, shadow, timedelta(hours=3), role="shadow")
    spec, by_hand = builders.spec(trainer={"window": "7d"}), builders.START + timedelta(days=4001)
    found = DeltaDatasets(str(data)).read(spec, by_hand)
    assert found.rows.height == 200
    assert found.until - labelled["departure"].max() <= timedelta(milliseconds=1)  # type: ignore[operator]
    assert found.since == found.until - timedelta(days=7)


def test_published_rows_without_a_label_do_not_move_the_window(data: Path) -> None:
    """A declared dataset may have an optional label, which comes with a later publication."""
    labelled = builders.rows(100)
    builders.write_batch(data, labelled)
    later = builders.rows(10, builders.START + timedelta(days=40), "l").with_columns(late=pl.lit(None, pl.Float64))
    builders.write_batch(data, later.with_columns(later["late"].cast(labelled["late"].dtype)), "b2")
    spec, by_hand = builders.spec(trainer={"window": "7d"}), builders.START + timedelta(days=41)
    found = DeltaDatasets(str(data)).read(spec, by_hand)
    assert found.rows.height == 100
    assert found.until == labelled["departure"].max()


def test_published_rows_with_a_text_that_is_no_label_do_not_move_the_window(data: Path) -> None:
    """A declared dataset has its labels as they were sent."""
    known = builders.rows(100).with_columns(late=pl.Series(["UP", "DOWN"] * 50))
    builders.write_batch(data, known)
    later = builders.rows(10, builders.START + timedelta(days=40), "l").with_columns(late=pl.lit("pending"))
    builders.write_batch(data, later, "b2")
    spec = builders.spec(trainer={"window": "7d"}, data={"positive": "UP", "negative": "DOWN"})
    found = DeltaDatasets(str(data)).read(spec, builders.START + timedelta(days=41))
    assert (found.rows.height, found.until) == (100, known["departure"].max())


def test_rows_of_a_file_without_statistics_of_the_label_are_read(data: Path) -> None:
    """Another writer may leave out statistics."""
    labelled = builders.rows(100)
    builders.write_batch(data, labelled)
    later = builders.rows(10, builders.START + timedelta(days=40), "l").with_columns(late=pl.lit(None, pl.Float64))
    builders.write_batch(data, later, "b2")
    without_null_counts(data / "datasets" / "flights", "late")
    spec = builders.spec(trainer={"window": "7d"})
    found = DeltaDatasets(str(data)).read(spec, builders.START + timedelta(days=41))
    assert (found.rows.height, found.until) == (100, labelled["departure"].max())


def without_null_counts(table: Path, column: str) -> None:
    """Take the number of missing values of a column out of the statistics of all files."""
    for commit in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for add in (action["add"] for action in actions if "add" in action):
            statistics = json.loads(add["stats"])
            del statistics["nullCount"][column]
            add["stats"] = json.dumps(statistics)
        commit.write_text("\n".join(map(json.dumps, actions)))


@pytest.mark.medium
def test_what_was_served_without_an_event_time_is_as_new_as_it_was_made(data: Path) -> None:
    """The event time of a request is optional."""
    builders.write_batch(data, builders.rows(100))
    asked = builders.rows(100, builders.START + timedelta(days=40), "g")
    write_feedback(data, asked, timedelta(hours=3), event_time=pl.lit(None, pl.Datetime("us", "UTC")))
    found = DeltaDatasets(str(data)).read(builders.spec(trainer={"window": "30d"}), builders.START + timedelta(days=60))
    assert found.rows["flight_id"].to_list() == asked["flight_id"].to_list()
    assert found.until - asked["departure"].max() <= timedelta(milliseconds=1)


@pytest.mark.medium
@pytest.mark.parametrize("microseconds", [4_070_908_800_000_000, 253_402_304_400_000_000], ids=["2099", "year 10000"])
def test_times_after_now_do_not_move_the_window(data: Path, microseconds: int) -> None:
    """A wrong year in one row must not make the window empty, or every run fail."""
    builders.write_batch(data, builders.rows(100))
    write_feedback(data, builders.rows(100, builders.START + timedelta(days=1), "g"), timedelta(hours=3))
    far = builders.rows(1, builders.START, "far").with_columns(
        departure=pl.lit(microseconds).cast(pl.Datetime("us", "UTC")), flight_id=pl.lit("far")
    )
    builders.write_batch(data, far, "b2")
    write_feedback(data, far, timedelta(0))
    now = builders.START + timedelta(days=60)
    found = DeltaDatasets(str(data), lambda: now).read(
        builders.spec(trainer={"window": "90d"}), now + timedelta(days=9)
    )
    assert found.rows.height == 200
    assert found.as_of == now + timedelta(days=1)
    assert found.until - (builders.START + timedelta(days=1, minutes=99)) <= timedelta(milliseconds=1)


def test_a_time_before_the_year_1_is_no_row(data: Path) -> None:
    before = pl.lit(-62_135_596_800_000_001).cast(pl.Datetime("us", "UTC"))
    builders.write_batch(data, builders.rows(1).with_columns(departure=before))
    assert DeltaDatasets(str(data)).read(builders.spec(), builders.START).rows.height == 0
    builders.write_batch(data, builders.rows(5), "b2")
    assert DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=1)).rows.height == 5


@pytest.mark.medium
def test_one_outcome_may_be_that_of_many_predictions_so_their_number_is_the_bound(data: Path) -> None:
    rows = builders.rows(10).with_columns(flight_id=pl.lit("a customer who came ten times"))
    write_feedback(data, rows, timedelta(hours=3), labelled_rows=1)
    datasets = DeltaDatasets(str(data))
    assert datasets.read(builders.spec(), builders.START + timedelta(days=1)).rows.height == 10
    assert datasets.rows_at_most(builders.spec()) >= 10


@pytest.mark.medium
def test_a_batch_that_corrects_an_earlier_one_takes_its_place(data: Path) -> None:
    rows = builders.rows(10)
    builders.write_batch(data, rows, "mistaken")
    builders.write_batch(data, rows.with_columns(late=1 - pl.col("late")), "corrected")
    for _ in ("as they came", "compacted"):
        found = DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=1)).rows
        assert found["late"].to_list() == (1 - rows["late"]).to_list()
        DeltaTable(str(data / "datasets" / "flights")).optimize.compact()


@pytest.mark.medium
def test_a_compaction_changes_no_digest(data: Path) -> None:
    """The order of rows with equal event time and entity (predictions of one occurrence) differs between files."""
    rows = builders.rows(50)
    builders.write_batch(data, rows[:20])
    for outcome in (0.0, 1.0):
        asked = rows.with_columns(late=pl.lit(outcome), distance=pl.col("distance") + outcome)
        write_feedback(data, asked, timedelta(hours=3), commits=3, identified=f"{outcome}-")
    found = []
    for _ in ("as written", "compacted"):
        found.append(DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=1)))
        for table in ("datasets/flights", "feedback/flight-delay/predictions", "feedback/flight-delay/outcomes"):
            DeltaTable(str(data / table)).optimize.compact()
    assert found[0].rows.height == 100
    assert found[0].digest == found[1].digest


def test_rows_after_the_trigger_do_not_count(data: Path) -> None:
    builders.write_batch(data, builders.rows(100))
    found = DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(minutes=9))
    assert found.rows.height == 10
    assert found.as_of == builders.START + timedelta(minutes=9)


def test_the_digest_is_found_behind_commits_that_add_nothing(data: Path) -> None:
    for batch in ("b1", "b2"):
        builders.write_batch(data, builders.rows(100), batch)
    DeltaTable(str(data / "datasets" / "flights")).optimize.compact()
    (version,) = DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=1)).data
    assert (version.version, version.digest) == (2, builders.DIGEST)


def test_a_dataset_that_is_not_there_is_named(data: Path) -> None:
    for call in (
        lambda datasets: datasets.rows_at_most(builders.spec()),
        lambda datasets: datasets.read(builders.spec(), builders.START),
    ):
        with pytest.raises(DatasetMissingError) as caught:
            call(DeltaDatasets(str(data)))
        assert caught.value.dataset == "flights"


def test_a_feature_that_the_data_lacks_is_named(data: Path) -> None:
    builders.write_batch(data, builders.rows(10).drop("distance"))
    with pytest.raises(ColumnMissingError) as caught:
        DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=1))
    assert caught.value.missing == ["distance"]


def test_a_column_added_by_a_later_batch_is_read(data: Path) -> None:
    """The earlier files lack it, so their rows have no value."""
    builders.write_batch(data, builders.rows(10).drop("distance"))
    later = builders.rows(10, builders.START + timedelta(days=1), "g").with_columns(batch_id=pl.lit("b2"))
    write_deltalake(str(data / "datasets" / "flights"), later, mode="append", schema_mode="merge")
    found = DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=2))
    assert found.rows["flight_id"].to_list() == later["flight_id"].to_list()


@pytest.mark.medium
def test_a_folder_with_a_blank_and_other_characters_is_read_by_path_and_by_url(tmp_path: Path) -> None:
    """delta-rs percent-encodes the paths of its files."""
    data = tmp_path / "my data ü*{x}"
    builders.write_batch(data, builders.rows(10))
    write_feedback(data, builders.rows(10), timedelta(hours=3))
    for root in (str(data), data.as_uri(), f"{data}/"):
        found = DeltaDatasets(root).read(builders.spec(), builders.START + timedelta(days=1))
        assert found.rows.height == 10
        assert [version.table for version in found.data] == [
            "datasets/flights",
            "feedback/flight-delay/predictions",
            "feedback/flight-delay/outcomes",
        ]


@pytest.mark.medium
def test_rows_that_were_published_before_a_feature_was_added_are_counted(data: Path) -> None:
    builders.write_batch(data, builders.rows(100).with_columns(distance=pl.lit(None, pl.Float64)))
    builders.write_batch(data, builders.rows(50, builders.START + timedelta(days=1), "g"))
    found = DeltaDatasets(str(data)).read(builders.spec(), builders.START + timedelta(days=2))
    assert found.rows.height == 50
    assert found.left_out == RowsLeftOut(100, {"distance": 100})
