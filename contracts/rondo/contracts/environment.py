"""Finds variables RONDO_* that no part of Rondo reads, because a misspelt or renamed setting has no effect."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

PREFIX = "RONDO_"
FILE = "_FILE"
# All settings of docs/settings.md: a stack sets them for all of its processes, so each process sees those of the
# others.
KNOWN = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("SERVICE", "KAFKA", "HTTP_HOST", "HTTP_PORT", "REPLICA", "LOG_LEVEL", "OTLP_ENDPOINT"),
        *("POSTGRES", "POSTGRES_PASSWORD", "ARTIFACTS", "DATA", "SPOOL", "INBOX", "MAX_BATCH_BYTES", "MAX_MODEL_BYTES"),
        *("LANDING_SECONDS", "LANDING_ROWS", "SPEC_WAIT_SECONDS", "INBOX_SETTLE_SECONDS", "INBOX_INCOMPLETE_SECONDS"),
        *("WORKER_THREADS", "WORKER_LEASE", "WORKER_ATTEMPTS", "WORKER_NICENESS", "TOKENS"),
        *("FUNCTIONS", "FUNCTION_SECONDS"),
        *("GRPC_PORT", "MAX_BATCH", "LINGER", "INFERENCE_THREADS", "BULK_THREADS", "DEDUPLICATED_ANSWERS"),
        *("QUEUE_AFTER",),
        *("WEBHOOK_URLS", "WEBHOOK_SECRET"),
        *("ALERT_GROUP_WAIT", "ALERT_REPEAT", "ALERT_MIN_SEVERITY", "DETECTORS", "DETECTOR_SECONDS"),
        *("CHECKPOINT_INTERVAL", "OUTCOMES_IDLE_TIMEOUT", "MAX_OUT_OF_ORDERNESS"),
        *("CPU_WATTS", "GRID_GRAMS_PER_KWH"),
        *("HOME", "REGISTRY_URL", "INGESTION_URL", "SERVING_URL", "TRAINER_URL", "MONITOR_URL", "TOKEN", "MAVEN"),
        *("PORT_INGESTION", "PORT_TRAINER", "PORT_REGISTRY", "PORT_SERVING", "PORT_MONITOR", "PORT_GRPC"),
        *("PORT_KAFKA", "PORT_PROMETHEUS", "PORT_GRAFANA", "PORT_JAEGER"),
        *("PASSWORD_INGESTION", "PASSWORD_TRAINER", "PASSWORD_REGISTRY", "PASSWORD_MONITOR"),
        *("COMPOSE_PROJECT", "COMMAND", "TEST_SERVERS", "TEST_SEED"),
    )
)
# Kubernetes sets these in each pod for every service of its namespace, for example for one named rondo-registry.
_SERVICE_LINK = re.compile(r".+_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_.+)?)?)")


def unknown_variables(names: Iterable[str], own: Collection[str] = ()) -> Iterator[str]:
    """Yield a problem for each variable RONDO_* that is not known and not in `own`, the settings of this program."""
    known = KNOWN | set(own)
    for name in sorted(names):
        if not name.startswith(PREFIX) or name.removesuffix(FILE) in known or _SERVICE_LINK.fullmatch(name):
            continue
        near = get_close_matches(name.removesuffix(FILE), sorted(known), n=1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists them"
        yield f"{name} is not a setting: {hint}; correct its name, or unset it"
