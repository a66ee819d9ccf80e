"""Writes flights as files, to try the `rondo` command: `python -m rondo.flights.files [FOLDER]`.

`january.parquet` and `february.parquet` are batches to publish, `requests.jsonl` is for `rondo predict --from`, and
`infer.json` is a request over HTTP.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rondo.client.http.inference import body
from rondo.contracts.events.predictions import PredictionRequested
from rondo.flights.dataset import flights as dataset
from rondo.flights.dataset.messages import day, month_batches, requests, stream_of
from rondo.flights.errors import FlightsError
from rondo.flights.examples import example_named

_BATCHES = ("january", "february")
_REQUESTS = 100


def write(folder: Path) -> list[Path]:
    """Write the files, replacing earlier ones, and return their paths.

    Raises:
        DatasetMissingError: the package with the flights is not installed.

    """
    folder.mkdir(parents=True, exist_ok=True)
    flights, example = dataset.load(), example_named()
    written = [folder / f"{name}.parquet" for name in _BATCHES]
    for path, (_, rows) in zip(written, month_batches(flights, example, range(1, 3)), strict=True):
        rows.write_parquet(path)
    # The time zone is UTC. In New York the second begins at 5 h.
    march = stream_of(flights, day(3, 2), day(4)).head(_REQUESTS + 1)
    *batch, one = (value for _, value in requests(march, example))
    stream, single = folder / "requests.jsonl", folder / "infer.json"
    stream.write_bytes(b"".join(each + b"\n" for each in batch))
    single.write_bytes(body(PredictionRequested.model_validate_json(one)))
    return [*written, stream, single]


def main() -> None:
    """Write the files into the folder of the first argument, by default the current folder, and print their paths."""
    try:
        written = write(Path(*sys.argv[1:2]))
    except (FlightsError, OSError) as error:
        sys.exit(f"can't write the flights: {error}")
    sys.stdout.writelines(f"{path}\n" for path in written)


if __name__ == "__main__":
    main()
