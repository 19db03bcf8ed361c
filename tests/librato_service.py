"""The Librato API on 127.0.0.1: keeps state, and refuses what its reference says it refuses."""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from librato_rules import (
    NAME,
    Refused,
    check_alert,
    check_chart,
    check_legacy,
    check_tagged,
    need,
)
from wf_instrument.backends.librato import LibratoConnection, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

USER, TOKEN = "user@example.com", "s3cret-token"
_Answer = tuple[int, object]


@dataclass(frozen=True)
class Call:
    """One request as it came; `path` is percent-encoded, without `/v1/`."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: dict[str, str]
    target: str = ""


@dataclass
class Failure:
    """How to answer instead, so many times; status 0 closes without a word, -1 never answers."""

    status: int
    times: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    when: Callable[[Call], bool] = lambda _: True
    does_happen: bool = False  # whether the request is carried out before


class LibratoService:
    """Runs while its `with` block does."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failures: list[Failure] = []
        self.refusals: list[tuple[Call, Refused]] = []  # what broke a rule
        self.metrics: dict[str, dict[str, Any]] = {}
        self.points: list[tuple[str, dict[str, Any]]] = []  # untagged, by list
        self.measurements: list[dict[str, Any]] = []
        self.streams: dict[str, dict[str, Any]] = {}
        self.spaces: dict[int, dict[str, Any]] = {}
        self.charts: dict[int, dict[int, dict[str, Any]]] = {}
        self.alerts: dict[int, dict[str, Any]] = {}
        self.services: dict[str, dict[str, Any]] = {
            one: {
                "id": one,
                "type": "mail",
                "title": f"Mail {one}",
                "settings": {"addresses": "a@x"},
            }
            for one in ("849", "1234", "5678")
        }
        self.next_time: int | None = None  # of one truncated answer
        self.page_size = 1000  # series in one answer
        self.released = threading.Event()  # lets go of requests that were never to be answered
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.hostname = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def connect(self, **arguments: Any) -> LibratoConnection:
        made = connect(USER, TOKEN, self.hostname, protocol="http", **arguments)
        made.backoff_logic = lambda _: 0.01
        return made

    def fail(self, status: int, **rest: Any) -> None:
        self.failures.append(Failure(status, **rest))

    def took(self, method: str, path: str) -> list[Call]:
        return [one for one in self.calls if (one.method, one.path) == (method, path)]

    def handle(self, call: Call) -> tuple[int, object, dict[str, str]]:
        with self._lock:
            self.calls.append(call)
            failure = next((one for one in self.failures if one.times and one.when(call)), None)
            if failure is not None:
                failure.times -= 1
                if failure.does_happen:
                    self._carry_out(call)
        if failure is None:
            return self._carry_out(call)
        if failure.status < 0:
            self.released.wait(30)
        return failure.status, failure.body, failure.headers

    def _carry_out(self, call: Call) -> tuple[int, object, dict[str, str]]:
        with self._lock:
            try:
                self._admit(call)
                status, body = self._route(call)
            except Refused as refused:
                self.refusals.append((call, refused))
                return refused.status, refused.body, {}
        headers = {}
        if status == 201 and isinstance(body, dict) and "id" in body:
            headers["Location"] = f"/v1/{call.path}/{body['id']}"
        if status == 202:
            headers["Location"] = f"http://{self.hostname}/v1/jobs/123"
        return status, body, headers

    def _admit(self, call: Call) -> None:
        expected = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {expected}":
            raise Refused(401, {"errors": {"request": ["Authorization Required"]}})
        if call.body is not None:
            if call.headers.get("content-type") != "application/json":
                raise Refused(415, {"errors": {"request": ["Invalid Content-Type"]}})
            if not isinstance(call.body, dict):
                raise Refused(400, {"errors": {"request": ["Invalid JSON"]}})

    def _route(self, call: Call) -> _Answer:
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, call.path)
            if match and method == call.method:
                answer: _Answer = handler(self, call, *map(unquote, match.groups()))
                return answer
        raise Refused(404, {"errors": {"request": ["Not Found"]}})

    # -- metrics

    def page(self, call: Call, entity: str, items: list[dict[str, Any]]) -> _Answer:
        wanted = call.query.get("name", [""])[0].casefold()
        found = [one for one in items if wanted in str(one.get("name", "")).casefold()]
        offset = int(call.query.get("offset", ["0"])[0])
        length = int(call.query.get("length", ["100"])[0])
        need(0 < length <= 100, "length", "must be 1 to 100")
        part = found[offset : offset + length]
        query = {"found": len(found), "length": len(part), "offset": offset, "total": len(items)}
        return 200, {"query": query, entity: part}

    def list_metrics(self, call: Call) -> _Answer:
        if "compose" in call.query:
            return self.compose(call)
        return self.page(call, "metrics", list(self.metrics.values()))

    def compose(self, call: Call) -> _Answer:
        need("start_time" in call.query, "start_time", "is required")
        need("resolution" in call.query, "resolution", "is required")
        formula = call.query["compose"][0]
        series = [{"measure_time": 1421744400, "value": 41.25}]
        if call.path == "measurements":
            points = [{"time": 1421744400, "value": 41.25}]
            return 200, {"compose": formula, "series": [{"tags": {}, "measurements": points}]}
        one = {"metric": {"name": "x"}, "query": {}, "period": 60, "series": series}
        return 200, {"compose": formula, "resolution": 60, "measurements": [one]}

    def _metric(self, name: str) -> dict[str, Any]:
        known = {key.casefold(): key for key in self.metrics}.get(name.casefold())
        if known is None:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return self.metrics[known]

    def get_metric(self, call: Call, name: str) -> _Answer:
        metric = dict(self._metric(name))
        if "count" in call.query or "start_time" in call.query:
            by_source: dict[str, list[dict[str, Any]]] = {}
            since = int(call.query.get("start_time", ["0"])[0])
            for _, one in self.points:
                if one["name"] == name and one["measure_time"] >= since:
                    if self.next_time and one["measure_time"] >= self.next_time > since:
                        metric["query"] = {"next_time": self.next_time}
                        break
                    source = one.get("source", "unassigned")
                    value = one.get("value", one.get("sum"))
                    point = {"measure_time": one["measure_time"], "value": value, "count": 1}
                    by_source.setdefault(source, []).append(point)
            metric |= {"measurements": by_source, "resolution": 60}
        return 200, metric

    def put_metric(self, call: Call, name: str) -> _Answer:
        if name in self.metrics:
            self.metrics[name].update(call.body)
            return 204, None
        need(NAME.fullmatch(name), "name", "is invalid")
        need(call.body.get("type"), "type", "is required")
        self.metrics[name] = {"name": name, "period": None, "attributes": {}, **call.body}
        return 201, self.metrics[name]

    def _named(self, call: Call) -> list[str]:
        names = call.body["names"]
        if isinstance(names, str):
            pattern = re.compile(re.escape(names).replace(r"\*", ".*"))
            return [name for name in self.metrics if pattern.fullmatch(name)]
        need(all(NAME.fullmatch(one) for one in names), "names", "are invalid")
        return [name for name in names if name in self.metrics]

    def put_metrics(self, call: Call) -> _Answer:
        names = self._named(call)
        for name in names:
            self.metrics[name].update({k: v for k, v in call.body.items() if k != "names"})
        return (202, None) if isinstance(call.body["names"], str) else (204, None)

    def delete_metrics(self, call: Call) -> _Answer:
        for name in self._named(call):
            del self.metrics[name]
        return (202, None) if isinstance(call.body["names"], str) else (204, None)

    def delete_metric(self, call: Call, name: str) -> _Answer:
        del self.metrics[self._metric(name)["name"]]
        return 204, None

    def post_metrics(self, call: Call) -> _Answer:
        items = check_legacy(call.body)
        shared = {k: v for k, v in call.body.items() if k not in {"gauges", "counters"}}
        for kind, one in items:
            stored = {"measure_time": int(time.time()), **shared, **one}
            self.points.append((kind, stored))
            self._know(one["name"], kind[:-1], one.get("description"))
        return 200, None

    def post_measurements(self, call: Call) -> _Answer:
        items = check_tagged(call.body)
        shared = {k: v for k, v in call.body.items() if k != "measurements"}
        for one in items:
            self.measurements.append({"time": int(time.time()), "tags": {}, **shared, **one})
            self._know(one["name"], "gauge", None)
        return 202, None

    def _know(self, name: str, kind: str, description: str | None) -> None:
        new = {"name": name, "type": kind, "period": None, "attributes": {}}
        self.metrics.setdefault(name, {**new, "description": description, "display_name": None})

    def get_measurements(self, call: Call, name: str) -> _Answer:
        query = call.query
        need("resolution" in query, "resolution", "is required")
        need("start_time" in query or "duration" in query, "start_time", "is required")
        wanted = {
            m[1]: v for k, v in query.items() if (m := re.fullmatch(r"tags\[(\w+)\](\[\])?", k))
        }
        need(not (wanted and "tags_search" in query), "tags", "or tags_search")
        series: dict[str, dict[str, Any]] = {}
        for one in self.measurements:
            if one["name"] == name and all(one["tags"].get(k) in v for k, v in wanted.items()):
                key = json.dumps(one["tags"], sort_keys=True)
                row = series.setdefault(key, {"tags": one["tags"], "measurements": []})
                value = one.get("value", one.get("sum"))
                row["measurements"].append({"time": one["time"], "value": value})
        offset = int(query.get("offset", ["0"])[0])
        rows = list(series.values())
        part = rows[offset : offset + self.page_size]
        links = []
        if offset + self.page_size < len(rows):
            rest = f"start_time=1&resolution=1&offset={offset + self.page_size}"
            href = f"https://elsewhere.invalid/v1/{call.path}?{rest}"
            links.append({"rel": "next", "href": href})
        return 200, {
            "name": name,
            "resolution": 1,
            "attributes": {},
            "links": links,
            "series": part,
        }

    def get_job(self, call: Call, job: str) -> _Answer:
        return 200, {"id": int(job), "state": "complete", "progress": 100.0, "output": {}}

    # -- annotations

    def list_streams(self, call: Call) -> _Answer:
        rows = [{k: v for k, v in one.items() if k != "events"} for one in self.streams.values()]
        return self.page(call, "annotations", rows)

    def _stream(self, name: str) -> dict[str, Any]:
        if name not in self.streams:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return self.streams[name]

    def get_stream(self, call: Call, name: str) -> _Answer:
        stream = self._stream(name)
        if not {"start_time", "count"} & set(call.query):
            return 200, {k: v for k, v in stream.items() if k != "events"}
        grouped: dict[str, list[Any]] = {}
        for one in stream["events"]:
            grouped.setdefault(one.get("source") or "unassigned", []).append(one)
        return 200, {**stream, "events": [grouped], "query": {"found": len(stream["events"])}}

    def post_event(self, call: Call, name: str) -> _Answer:
        need(call.body and call.body.get("title"), "title", "is required")
        stream = self.streams.setdefault(name, {"name": name, "display_name": None, "events": []})
        event = {
            "id": next(self._ids),
            "source": None,
            "description": None,
            "links": [],
            **call.body,
        }
        stream["events"].append(event)
        return 201, event

    def put_stream(self, call: Call, name: str) -> _Answer:
        stream = self._stream(name)
        stream.update(call.body)
        return 204, None

    def delete_stream(self, call: Call, name: str) -> _Answer:
        self._stream(name)
        del self.streams[name]
        return 204, None

    def _event(self, name: str, event: str) -> dict[str, Any]:
        for one in self._stream(name)["events"]:
            if str(one["id"]) == event:
                found: dict[str, Any] = one
                return found
        raise Refused(404, {"errors": {"request": ["Not Found"]}})

    def get_event(self, call: Call, name: str, event: str) -> _Answer:
        return 200, self._event(name, event)

    def put_event(self, call: Call, name: str, event: str) -> _Answer:
        self._event(name, event).update(call.body)
        return 204, None

    def delete_event(self, call: Call, name: str, event: str) -> _Answer:
        self._stream(name)["events"].remove(self._event(name, event))
        return 204, None

    def post_link(self, call: Call, name: str, event: str) -> _Answer:
        need(call.body.get("rel") and call.body.get("href"), "rel", "is required")
        self._event(name, event)["links"].append(call.body)
        return 201, call.body

    def delete_link(self, call: Call, name: str, event: str, rel: str) -> _Answer:
        found = self._event(name, event)
        found["links"] = [one for one in found["links"] if one["rel"] != rel]
        return 204, None

    # -- spaces and charts

    def list_spaces(self, call: Call) -> _Answer:
        return self.page(call, "spaces", list(self.spaces.values()))

    def _space(self, id_: str) -> dict[str, Any]:
        if not id_.isdigit() or int(id_) not in self.spaces:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return self.spaces[int(id_)]

    def get_space(self, call: Call, id_: str) -> _Answer:
        charts = [{"id": one} for one in self.charts[self._space(id_)["id"]]]
        return 200, {**self._space(id_), "charts": charts}

    def post_space(self, call: Call) -> _Answer:
        need(call.body.get("name"), "name", "is required")
        space = {**call.body, "id": next(self._ids)}
        self.spaces[space["id"]] = space
        self.charts[space["id"]] = {}
        return 201, space

    def put_space(self, call: Call, id_: str) -> _Answer:
        need(not {"id", "charts"} & set(call.body), "request", "id and charts are read-only")
        self._space(id_).update(call.body)
        return 204, None

    def delete_space(self, call: Call, id_: str) -> _Answer:
        space = self._space(id_)
        del self.spaces[space["id"]], self.charts[space["id"]]
        return 204, None

    def list_charts(self, call: Call, id_: str) -> _Answer:
        return 200, list(self.charts[self._space(id_)["id"]].values())

    def _chart(self, space: str, id_: str) -> dict[str, Any]:
        charts = self.charts[self._space(space)["id"]]
        if not id_.isdigit() or int(id_) not in charts:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return charts[int(id_)]

    def get_chart(self, call: Call, space: str, id_: str) -> _Answer:
        return 200, self._chart(space, id_)

    def post_chart(self, call: Call, space: str) -> _Answer:
        check_chart(call.body)
        charts = self.charts[self._space(space)["id"]]
        chart = {**call.body, "id": next(self._ids)}
        chart["streams"] = [{"id": next(self._ids), **one} for one in chart["streams"]]
        charts[chart["id"]] = chart
        return 201, chart

    def put_chart(self, call: Call, space: str, id_: str) -> _Answer:
        old = self._chart(space, id_)
        check_chart(call.body)
        new = {**call.body, "id": old["id"]}
        new["streams"] = [{"id": next(self._ids), **one} for one in new["streams"]]
        self.charts[self._space(space)["id"]][old["id"]] = new
        return 200, new

    def delete_chart(self, call: Call, space: str, id_: str) -> _Answer:
        del self.charts[self._space(space)["id"]][self._chart(space, id_)["id"]]
        return 204, None

    # -- alerts and services

    def list_alerts(self, call: Call) -> _Answer:
        return self.page(call, "alerts", list(self.alerts.values()))

    def post_alert(self, call: Call) -> _Answer:
        check_alert(call.body, set(self.services))
        if any(one["name"] == call.body["name"] for one in self.alerts.values()):
            raise Refused(422, {"errors": {"params": {"name": ["is taken"]}}})
        alert = self._alert_row(next(self._ids), call.body)
        self.alerts[alert["id"]] = alert
        # Known of the service: neither is in the answer.
        return 201, {**alert, "conditions": [], "services": []}

    def _alert_row(self, id_: int, body: dict[str, Any]) -> dict[str, Any]:
        defaults = {"description": None, "active": True, "rearm_seconds": 600, "attributes": {}}
        row = {**defaults, "version": 2, "md": False, **body, "id": id_}
        row["conditions"] = [{"id": next(self._ids), **one} for one in body.get("conditions", [])]
        wanted = map(str, body.get("services", []))
        row["services"] = [self.services[one] for one in wanted]
        return row

    def _alert(self, id_: str) -> dict[str, Any]:
        if not id_.isdigit() or int(id_) not in self.alerts:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return self.alerts[int(id_)]

    def get_alert(self, call: Call, id_: str) -> _Answer:
        return 200, self._alert(id_)

    def put_alert(self, call: Call, id_: str) -> _Answer:
        old = self._alert(id_)
        need("id" not in call.body, "id", "is read-only")
        check_alert(call.body, set(self.services))
        self.alerts[old["id"]] = self._alert_row(old["id"], call.body)
        return 204, None

    def delete_alert(self, call: Call, id_: str) -> _Answer:
        del self.alerts[self._alert(id_)["id"]]
        return 204, None

    def alert_status(self, call: Call, id_: str) -> _Answer:
        return 200, {"alert": {"id": self._alert(id_)["id"]}, "status": "triggered"}

    def all_status(self, call: Call) -> _Answer:
        return 200, {"cleared": [], "firing": [{"id": 1, "triggered_at": 1}]}

    def clear_alert(self, call: Call, id_: str) -> _Answer:
        self._alert(id_)
        return 204, None

    def post_alert_service(self, call: Call, id_: str) -> _Answer:
        self._alert(id_)["services"].append(self._service(str(call.body["service"])))
        return 201, None

    def delete_alert_service(self, call: Call, id_: str, service: str) -> _Answer:
        self._alert(id_)["services"].remove(self._service(service))
        return 204, None

    def list_services(self, call: Call) -> _Answer:
        return self.page(call, "services", list(self.services.values()))

    def _service(self, id_: str) -> dict[str, Any]:
        if id_ not in self.services:
            raise Refused(404, {"errors": {"request": ["Not Found"]}})
        return self.services[id_]

    def get_service(self, call: Call, id_: str) -> _Answer:
        return 200, self._service(id_)

    def post_service(self, call: Call) -> _Answer:
        need({"type", "title", "settings"} <= set(call.body), "request", "lacks something")
        service = {**call.body, "id": str(next(self._ids))}
        self.services[service["id"]] = service
        return 201, service

    def put_service(self, call: Call, id_: str) -> _Answer:
        need("id" not in call.body, "id", "is read-only")
        self._service(id_).update(call.body)
        return 204, None

    def delete_service(self, call: Call, id_: str) -> _Answer:
        self._service(id_)
        del self.services[id_]
        return 204, None

    # -- HTTP

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else 40 ms an answer

            def answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                parts = urlsplit(self.path)
                query = parse_qs(parts.query, keep_blank_values=True)
                call = Call(
                    self.command, parts.path.removeprefix("/v1/"), query, _body(data), headers,
                    self.path,
                )  # fmt: skip
                status, body, more = service.handle(call)
                if status <= 0:
                    self.close_connection = True
                    return
                if isinstance(body, bytes):
                    content = body
                else:
                    content = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                more = {"Content-Type": "application/json; charset=utf-8", **more}
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server names them

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler


def _body(data: bytes) -> Any:
    if not data:
        return None

    def refuse(text: str) -> None:
        raise ValueError(text)

    try:
        return json.loads(data, parse_constant=refuse)
    except ValueError:
        return "no JSON"


_S = LibratoService
_ID = "([^/]+)"
_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "metrics", _S.list_metrics), ("POST", "metrics", _S.post_metrics),
    ("PUT", "metrics", _S.put_metrics), ("DELETE", "metrics", _S.delete_metrics),
    ("GET", f"metrics/{_ID}", _S.get_metric), ("PUT", f"metrics/{_ID}", _S.put_metric),
    ("DELETE", f"metrics/{_ID}", _S.delete_metric),
    ("GET", "measurements", _S.compose), ("POST", "measurements", _S.post_measurements),
    ("GET", f"measurements/{_ID}", _S.get_measurements), ("GET", f"jobs/{_ID}", _S.get_job),
    ("GET", "annotations", _S.list_streams), ("GET", f"annotations/{_ID}", _S.get_stream),
    ("POST", f"annotations/{_ID}", _S.post_event), ("PUT", f"annotations/{_ID}", _S.put_stream),
    ("DELETE", f"annotations/{_ID}", _S.delete_stream),
    ("GET", f"annotations/{_ID}/{_ID}", _S.get_event),
    ("PUT", f"annotations/{_ID}/{_ID}", _S.put_event),
    ("DELETE", f"annotations/{_ID}/{_ID}", _S.delete_event),
    ("POST", f"annotations/{_ID}/{_ID}/links", _S.post_link),
    ("DELETE", f"annotations/{_ID}/{_ID}/links/{_ID}", _S.delete_link),
    ("GET", "spaces", _S.list_spaces), ("POST", "spaces", _S.post_space),
    ("GET", f"spaces/{_ID}", _S.get_space), ("PUT", f"spaces/{_ID}", _S.put_space),
    ("DELETE", f"spaces/{_ID}", _S.delete_space),
    ("GET", f"spaces/{_ID}/charts", _S.list_charts),
    ("POST", f"spaces/{_ID}/charts", _S.post_chart),
    ("GET", f"spaces/{_ID}/charts/{_ID}", _S.get_chart),
    ("PUT", f"spaces/{_ID}/charts/{_ID}", _S.put_chart),
    ("DELETE", f"spaces/{_ID}/charts/{_ID}", _S.delete_chart),
    ("GET", "alerts", _S.list_alerts), ("POST", "alerts", _S.post_alert),
    ("GET", "alerts/status", _S.all_status), ("GET", f"alerts/{_ID}", _S.get_alert),
    ("PUT", f"alerts/{_ID}", _S.put_alert), ("DELETE", f"alerts/{_ID}", _S.delete_alert),
    ("GET", f"alerts/{_ID}/status", _S.alert_status),
    ("POST", f"alerts/{_ID}/clear", _S.clear_alert),
    ("POST", f"alerts/{_ID}/services", _S.post_alert_service),
    ("DELETE", f"alerts/{_ID}/services/{_ID}", _S.delete_alert_service),
    ("GET", "services", _S.list_services), ("POST", "services", _S.post_service),
    ("GET", f"services/{_ID}", _S.get_service), ("PUT", f"services/{_ID}", _S.put_service),
    ("DELETE", f"services/{_ID}", _S.delete_service),
]  # fmt: skip
