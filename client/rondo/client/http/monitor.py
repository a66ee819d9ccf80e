"""The monitor's API. Results are the JSON values that its OpenAPI document describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from rondo.client.http.transport import HttpTransport

_MOST_OF_A_PAGE = 200


class MonitorClient:
    """The methods of a client that call the monitor."""

    _http: HttpTransport

    async def monitoring(self) -> dict[str, dict[str, Any]]:
        """Return a summary by model, as the monitor has it.

        `last_window` is the end of the last closed window, None if none has closed. `no_verdict` is what can't be
        judged yet and what is missing, None if all is that ever can be. `out_of_reach` is what can't be judged however
        long one waits, and why. `open_alerts` has the kinds of the raised alerts,
        `silenced_alerts` those of them about which no messages are sent, `not_monitored_share` the share of the newest
        requests that count in no window, and `watermark` the newest event time.

        Raises:
            UnreachableError: the monitor does not answer.

        """
        found = await self._http.json("monitor", "GET", "/v1/models")
        return {each["model"]: each for each in found["models"]}

    async def monitor_replicas(self) -> dict[str, Any]:
        """Return the `replicas` of the monitor that are there, each with its `partitions` of both logs.

        `models` is how many models are in them, and `unassigned` has the partitions that no replica works on.

        Raises:
            NotFoundError: the monitor is of a release whose replicas do not share the models.
            UnreachableError: the monitor does not answer.

        """
        return await self._http.json("monitor", "GET", "/v1/replicas")

    async def drift(self, model: str) -> dict[str, Any]:
        """Return what has changed of a model and since when, and what can't be judged yet.

        `verdict` has a sentence about the model. `columns` have the evidence of each input, each output and the loss
        (whose `column` is None), as decimal logarithms: a column has changed where it has a `since`. `newest` has the
        distributions of the newest rows beside those of the training data, `newest_closed` the newest figures of
        performance. `unmatched` has the numbers of `predictions` and `outcomes` that wait for the other, and `dropped`
        those of rows and outcomes that count in no window, by reason.

        Raises:
            NotFoundError: the monitor knows no such model.
            UnreachableError: the monitor does not answer.

        """
        return await self._http.json("monitor", "GET", _path(model, "/drift"))

    async def windows(self, model: str, last: int = 20) -> list[dict[str, Any]]:
        """Return the `last` closed windows, the newest first, with their figures and the evidence when they closed.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        found: list[dict[str, Any]] = []
        following: int | None = None
        while len(found) < last:
            before = f"&before={following}" if following is not None else ""
            path = _path(model, f"/windows?limit={min(last - len(found), _MOST_OF_A_PAGE)}{before}")
            page = await self._http.json("monitor", "GET", path)
            found += page["windows"]
            following = page["next"]
            if following is None:
                break
        return found

    async def wanted_labels(self, model: str, budget: int = 100, *, uncertain: bool = False) -> dict[str, Any]:
        """Return predictions whose outcome is wanted, at most `budget` of each day of event time.

        `wanted` has their ids, and the probability with which each was chosen: losses divided by it estimate the loss
        of all predictions of open windows. With `uncertain` those with an uncertain loss are the more likely: fewer of
        them are as informative, but the monitor's own figures do not divide. `unlabelled` is how many have no outcome.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        return await self._http.json(
            "monitor", "GET", _path(model, f"/labels/wanted?budget={budget}&uncertain={str(uncertain).lower()}")
        )

    async def alerts(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the alerts of a model, or of all, that are open or ended in the last seven days. The open ones first.

        `state` is `open`, `silenced` or `resolved`, and `silence` that of a silenced one. `messages` is how many said
        that it is open.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        return await self._listed("alerts", model)

    async def deliveries(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the newest messages about alerts, one for each receiver, with the outcome of the last call.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        return await self._listed("deliveries", model)

    async def redeliver(self, delivery_id: int) -> dict[str, Any]:
        """Deliver a message again to its receiver, with the same id and content.

        Raises:
            NotFoundError: there is no such delivery.
            RefusedError: the monitor's settings no longer have the receiver.

        """
        return await self._http.json("monitor", "POST", f"/v1/deliveries/{delivery_id}/redeliver")

    async def silence(self, model: str, seconds: float, reason: str, *, kind: str | None = None) -> dict[str, Any]:
        """Send no messages about alerts of a model, or those of a kind, for so many seconds. Returns the silence.

        Raises:
            NotFoundError: the monitor knows no such model.
            RefusedError: it is longer than 30 days, or the kind is unknown.

        """
        body = {"kind": kind, "seconds": seconds, "reason": reason}
        return await self._http.json("monitor", "POST", _path(model, "/silences"), json=body)

    async def silences(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the silences of a model, or of all, that are `active` or ended in the last seven days.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        return await self._listed("silences", model)

    async def end_silence(self, silence_id: int) -> dict[str, Any]:
        """End a silence early. Returns it.

        Raises:
            NotFoundError: there is no such silence.

        """
        return await self._http.json("monitor", "DELETE", f"/v1/silences/{silence_id}")

    async def report(self, model: str) -> str:
        """Return the report about a model: one HTML file that loads nothing.

        Raises:
            NotFoundError: the monitor knows no such model.

        """
        return (await self._http.request("monitor", "GET", _path(model, "/report"))).text

    async def _listed(self, what: str, model: str | None) -> list[dict[str, Any]]:
        of = "" if model is None else f"?{urlencode({'model': model})}"
        found: list[dict[str, Any]] = (await self._http.json("monitor", "GET", f"/v1/{what}{of}"))[what]
        return found


def _path(model: str, rest: str) -> str:
    return f"/v1/models/{quote(model, safe='')}{rest}"
