"""The monitor's HTTP API. Results are the JSON values that its OpenAPI document describes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from rondo.client.errors import RefusedError
from rondo.client.event_times import in_utc
from rondo.contracts.vocabularies import WindowRole

if TYPE_CHECKING:
    from rondo.client.http.transport import HttpTransport

_MOST_OF_A_PAGE = 200
_VERSIONS_OF_A_TIME = 40


class MonitorClient:
    """The methods of a client that call the monitor."""

    _http: HttpTransport

    async def monitoring(self) -> dict[str, dict[str, Any]]:
        """Return the monitor's summary of each model.

        `last_window` is the end of the last closed window, and None if no window has closed. `no_verdict` says what
        can't be judged yet and what is missing. It is None if everything that can be judged is judged. `out_of_reach`
        says what can't be judged after any time, and why. `open_alerts` has the kinds of the open alerts, and
        `silenced_alerts` the kinds of those without messages. `not_monitored_share` is the share of the newest requests
        that count in no window, and `watermark` the newest event time.

        Raises:
            UnreachableError: the monitor does not answer.

        """
        found = await self._http.json("monitor", "GET", "/v1/models")
        return {each["model"]: each for each in found["models"]}

    async def monitor_replicas(self) -> dict[str, Any]:
        """Return the running `replicas` of the monitor, each with its `partitions` of both logs.

        `models` is the number of models in these partitions, and `unassigned` has the partitions without a replica.

        Raises:
            NotFoundError: the monitor is of a release whose replicas do not share the models.
            UnreachableError: the monitor does not answer.

        """
        return await self._http.json("monitor", "GET", "/v1/replicas")

    async def drift(self, model: str) -> dict[str, Any]:
        """Return the changes of a model, their start, and what can't be judged yet.

        `verdict` is a sentence about the model. `columns` has the evidence of each input, each output and the loss
        (whose `column` is None), as decimal logarithms. A column with a `since` has changed. `newest` has the
        distributions of the newest rows and of the training data, and `newest_closed` the newest figures of
        performance. `unmatched` counts the `predictions` without an outcome and the `outcomes` without a prediction so
        far. `dropped` counts the rows and outcomes that count in no window, by reason.

        Raises:
            NotFoundError: the monitor does not know the model.
            UnreachableError: the monitor does not answer.

        """
        return await self._http.json("monitor", "GET", _path(model, "/drift"))

    async def windows(
        self, model: str, last: int = 20, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Return the `last` closed windows, the newest first, with their figures and the evidence at their closing.

        With `since` and `until`, only windows that begin at `since` or later, and before `until`. The monitor keeps the
        newest 1,000 windows of each model.

        Raises:
            BadEventTimeError: a time has no offset.
            NotFoundError: the monitor does not know the model.

        """
        found: list[dict[str, Any]] = []
        times = {name: _text(time) for name, time in (("since", since), ("until", until)) if time is not None}
        following: dict[str, int] = {}
        while len(found) < last:
            query = urlencode({"limit": min(last - len(found), _MOST_OF_A_PAGE), **following, **times})
            page = await self._http.json("monitor", "GET", _path(model, f"/windows?{query}"))
            # An older monitor sends all windows.
            found += [each for each in page["windows"] if _begins_between(each, since, until)]
            following = {"before": page["next"]}
            if page["next"] is None:
                break
        return found

    async def window(self, model: str, at: datetime, version: int | None = None) -> dict[str, Any]:
        """Return the closed window that has the event time `at`, with the distribution of each column.

        Of several versions with such a window it is that of the champion, unless `version` names another one. `columns`
        has bars with the shares of rows in this window and in the training data. If there are none, `no_columns` is the
        reason.

        Raises:
            RefusedError: no closed window that the monitor keeps has this time (code `unknown_window`).
            NotFoundError: the monitor does not know the model.

        """
        return await self._http.json("monitor", "GET", await self._path_of_window(model, at, version))

    async def window_report(self, model: str, at: datetime, version: int | None = None) -> str:
        """Return the report about a closed window, one HTML file that loads no other files. See `window`.

        Raises:
            RefusedError: no closed window that the monitor keeps has this time (code `unknown_window`).
            NotFoundError: the monitor does not know the model.

        """
        path = await self._path_of_window(model, at, version)
        return (await self._http.request("monitor", "GET", f"{path}/report")).text

    async def _path_of_window(self, model: str, at: datetime, version: int | None) -> str:
        # Windows close in the order of time for each version, and 16 replaced versions may have open windows.
        before = await self.windows(model, _VERSIONS_OF_A_TIME, until=in_utc(at) + timedelta(microseconds=1))
        found = [each for each in before if datetime.fromisoformat(each["end"]) > at]
        found = [each for each in found if version in (None, each["model_version"])]
        if not found:
            of = "" if version is None else f" of version {version}"
            raise RefusedError(
                f"no closed window of {model}{of} has {_text(at)}: `rondo drift {model} --history --last 1000` lists "
                "those that are kept",
                code="unknown_window",
            )
        chosen = min(found, key=lambda each: (each.get("role") == WindowRole.REPLACED, -each["model_version"]))
        return _path(model, f"/windows/{chosen['model_version']}/{quote(chosen['start'], safe='')}")

    async def wanted_labels(self, model: str, budget: int = 100, *, uncertain: bool = False) -> dict[str, Any]:
        """Return predictions whose outcomes are wanted, at most `budget` for each day of event time.

        `wanted` has their ids, and the probability with which each was chosen. Losses divided by it estimate the loss
        of all predictions in open windows. With `uncertain`, predictions with an uncertain loss are chosen more often.
        Fewer outcomes then suffice, but the monitor's own figures do not divide by the probability. `unlabelled` is the
        number of predictions without an outcome.

        Raises:
            NotFoundError: the monitor does not know the model.

        """
        return await self._http.json(
            "monitor", "GET", _path(model, f"/labels/wanted?budget={budget}&uncertain={str(uncertain).lower()}")
        )

    async def alerts(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the alerts of a model, or of all, that are open or ended in the last seven days, the open ones first.

        `state` is `open`, `silenced` or `resolved`, and `silence` that of a silenced one. `messages` is how many said
        that it is open.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        return await self._listed("alerts", model)

    async def deliveries(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the newest messages about alerts, one for each receiver, with the result of the last call.

        Raises:
            NotFoundError: the monitor does not know the model.

        """
        return await self._listed("deliveries", model)

    async def redeliver(self, delivery_id: int) -> dict[str, Any]:
        """Deliver a message again to its receiver, with the same id and content.

        Raises:
            NotFoundError: the delivery does not exist.
            RefusedError: the monitor's settings no longer have the receiver.

        """
        return await self._http.json("monitor", "POST", f"/v1/deliveries/{delivery_id}/redeliver")

    async def silence(self, model: str, seconds: float, reason: str, *, kind: str | None = None) -> dict[str, Any]:
        """Send no messages about alerts of a model, or only of one kind, for `seconds`. Return the silence.

        Raises:
            NotFoundError: the monitor does not know the model.
            RefusedError: the silence is longer than 30 days, or the kind is unknown.

        """
        body = {"kind": kind, "seconds": seconds, "reason": reason}
        return await self._http.json("monitor", "POST", _path(model, "/silences"), json=body)

    async def silences(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the silences of a model, or of all models, that are `active` or ended in the last seven days.

        Raises:
            NotFoundError: the monitor does not know the model.

        """
        return await self._listed("silences", model)

    async def end_silence(self, silence_id: int) -> dict[str, Any]:
        """End a silence early, and return it.

        Raises:
            NotFoundError: the silence does not exist.

        """
        return await self._http.json("monitor", "DELETE", f"/v1/silences/{silence_id}")

    async def report(self, model: str) -> str:
        """Return the report about a model, one HTML file that loads no other files.

        Raises:
            NotFoundError: the monitor does not know the model.

        """
        return (await self._http.request("monitor", "GET", _path(model, "/report"))).text

    async def _listed(self, what: str, model: str | None) -> list[dict[str, Any]]:
        of = "" if model is None else f"?{urlencode({'model': model})}"
        found: list[dict[str, Any]] = (await self._http.json("monitor", "GET", f"/v1/{what}{of}"))[what]
        return found


def _text(time: datetime) -> str:
    return in_utc(time).isoformat().replace("+00:00", "Z")


def _begins_between(window: dict[str, Any], since: datetime | None, until: datetime | None) -> bool:
    start = datetime.fromisoformat(window["start"])
    return (since is None or start >= since) and (until is None or start < until)


def _path(model: str, rest: str) -> str:
    return f"/v1/models/{quote(model, safe='')}{rest}"
