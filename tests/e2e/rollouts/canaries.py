"""Rides, their outcomes and models of them: good models, and bad models that predict the opposite."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import Producer
from rondo.contracts.kafka_connection import KafkaConnection
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.e2e import small_model

if TYPE_CHECKING:
    import polars as pl

MODEL = small_model.MODEL
SPEC = (
    small_model.SPEC.replace("retrain: {on: [drift]}", "retrain: {on: []}").replace(
        "label_delay: 1h", "label_delay: 2m"
    )
    + "monitor: {window: 10m}\n"
    "rollout: {strategy: canary, steps: [20, 100], step_length: 1h, min_answers: 100, rollback_window: 1h}\n"
)
FEATURES = ("zone", "distance")
A_SECOND = timedelta(seconds=1)


class Rides:
    """Sends rides, one each second of event time, with their outcomes, which follow from the distance and chance.

    With `keys`, this many keys take turns. Otherwise each ride has its own key.
    """

    def __init__(self, bootstrap: str, keys: int | None = None) -> None:
        self.sent, self._keys = 0, keys
        self._producer = Producer({**KafkaConnection(bootstrap).confluent(), "enable.idempotence": True, "acks": "all"})
        self._draw = random.Random(7)

    def send(self, count: int) -> None:
        for number in range(self.sent, self.sent + count):
            asked = small_model.START + timedelta(days=30) + number * A_SECOND
            distance = self._draw.uniform(0, 10)
            key = f"e{number if self._keys is None else number % self._keys}"
            about: dict[str, Any] = {"id": f"q{number}", "model": MODEL}
            features = {"zone": self._draw.choice("ab"), "distance": distance}
            request = about | {"entity": key, "event_time": asked.isoformat(), "features": features}
            outcome = about | {
                "outcome": int(distance + self._draw.gauss(0, 2) > 5),
                "event_time": (asked + timedelta(minutes=1)).isoformat(),
            }
            for topic, value in (("predictions.requested", request), ("outcomes.observed", outcome)):
                self._producer.produce(topic, orjson.dumps(value), key)
            if number % 1_000 == 0:
                self._producer.poll(0)
        self._producer.flush(60)
        self.sent += count


def fitted(rows: pl.DataFrame, labels: pl.Series) -> Any:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["zone"]), (StandardScaler(), ["distance"]), sparse_threshold=0
    )
    return make_pipeline(encoder, LogisticRegression()).fit(rows.select(*FEATURES), labels)
