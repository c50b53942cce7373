"""The HTTP face of a simulated Stash: authentication, GraphQL, images, and the pages around them (facts/stash.md 3)."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from scenesync.simulators.http_server import Answer, Request, Response
from scenesync.simulators.stash import go_json
from scenesync.simulators.stash.cancellation import Cancellation
from scenesync.simulators.stash.documents import Operation, RequestRefused, documents_of
from scenesync.simulators.stash.engine import Context, Engine
from scenesync.simulators.stash.errors import OperationCancelled
from scenesync.simulators.stash.execution import execute
from scenesync.simulators.stash.faults import Faults
from scenesync.simulators.stash.pictures import picture_kind, serve_picture
from scenesync.simulators.stash.sessions import Session
from scenesync.simulators.stash.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.simulators.stash.subscriptions import OnLoop

_JSON: Final = ("Content-Type", "application/json")
_HTML: Final = ("Content-Type", "text/html; charset=utf-8")
# The UI answers every path that nothing else knows, so a wrong URL gives 200 and a page.
_PAGE: Final = b"<!DOCTYPE html><html><head><title>Stash</title></head><body><div id='root'></div></body></html>"
_LOGIN_PAGE: Final = b"<!DOCTYPE html><html><head><title>Login</title></head><body><form></form></body></html>"
_UI_TYPES: Final = {"javascript": "text/javascript", "css": "text/css"}
_OPEN_PATHS: Final = ("/healthz", "/login")
_SMALLEST_GZIPPED_BYTES: Final = 1400
_MOST_MUTATIONS_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class GraphQLCall:
    """A GraphQL request that was answered. ``names`` are the operation's own name and its root fields."""

    names: tuple[str, ...]
    variables: Mapping[str, Any]
    status: int


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as it came in; without query and headers, where keys are. No ``status`` after a planned reset."""

    method: str
    path: str
    status: int | None
    graphql: GraphQLCall | None = None


@dataclass(frozen=True, slots=True)
class _GraphQLRequest:
    query: str
    operation_name: str | None
    variables: Mapping[str, Any]


class HttpApi:
    """The application for the HTTP server. Mutations run in threads, since their hooks take their time."""

    def __init__(self, engine: Engine, on_loop: OnLoop) -> None:
        self._engine = engine
        self._documents = documents_of(engine.schema)
        self.subscriptions = Subscriptions(self._documents, on_loop)
        self._workers = ThreadPoolExecutor(_MOST_MUTATIONS_AT_ONCE, thread_name_prefix="simulated-mutation")
        self._lock = threading.Lock()
        self._in_hand: set[Cancellation] = set()
        self.faults = Faults()
        self.requests: list[RequestRecord] = []
        self.latency_s = 0.0
        self.kills_hooks_on_disconnect = True

    async def answer(self, request: Request) -> Answer:
        """Answer one request; a cancelled task means that the client has gone."""
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        call: GraphQLCall | None = None
        session, refusal = self._authenticate(request)
        answer: Answer
        if refusal is not None:
            answer = refusal
        elif request.path == "/graphql" and "upgrade" in request.headers:
            answer = self.subscriptions.admit(
                request, Context(self._engine, _base_url(request), Cancellation(), session)
            )
        elif request.path == "/graphql":
            answer, call = await self._graphql(request, session)
        else:
            answer = self._elsewhere(request)
        status = answer.status if isinstance(answer, Response) else None
        self.requests.append(RequestRecord(request.method, request.path, status, call))
        return self._finish(answer, request)

    def close(self) -> None:
        """Kill the hooks of requests in hand, and wait for their threads."""
        with self._lock:
            in_hand = tuple(self._in_hand)
        for cancellation in in_hand:
            cancellation.cancel()
        self._workers.shutdown(wait=True)

    def _authenticate(self, request: Request) -> tuple[Session, Response | None]:
        """Return who asks, or how a stranger is refused: key first, then cookie, then what is open to all."""
        config = self._engine.config
        stranger = Session(user="")
        if request.path in _OPEN_PATHS:
            return stranger, None
        key = request.headers.get("apikey") or dict(request.query).get("apikey")
        if key:
            return (Session(config.username), None) if key == config.api_key else (stranger, Response(401))
        session = self._engine.sessions.from_header(request.headers.get("cookie", ""))
        if session is not None:
            return session, None
        if not config.has_credentials:
            return stranger, None
        if request.path == "/graphql" or "." in request.path.rsplit("/", 1)[-1]:
            return stranger, Response(401, headers=(("WWW-Authenticate", "FormBased"),))
        return stranger, Response(302, headers=(("Location", f"/login?returnURL={quote(request.target, safe='')}"),))

    async def _graphql(self, request: Request, session: Session) -> tuple[Answer, GraphQLCall | None]:
        try:
            asked = _read_graphql(request)
        except RequestRefused as refused:
            return _refusal(refused), None
        try:
            operation = self._documents.operation(asked.query, asked.operation_name)
        except RequestRefused as refused:
            return _refusal(refused), GraphQLCall((), asked.variables, refused.status)
        names = tuple(dict.fromkeys(name for name in (operation.name, *operation.root_fields) if name))
        planned = self.faults.take(names)
        if planned is not None:
            status = planned.status if isinstance(planned, Response) else 0
            return planned, GraphQLCall(names, asked.variables, status)
        if operation.is_mutation and request.method == "GET":
            by_get = RequestRefused(406, {"message": "GET requests only allow query operations"})
            return _refusal(by_get), GraphQLCall(names, asked.variables, by_get.status)
        context = Context(self._engine, _base_url(request), Cancellation(), session)
        answer = await self._execute(context, operation, asked.variables)
        return answer, GraphQLCall(names, asked.variables, answer.status)

    async def _execute(self, context: Context, operation: Operation, variables: Mapping[str, Any]) -> Response:
        try:
            if not operation.is_mutation:
                return _json(200, execute(context, operation, variables))
            return _json(200, await self._in_thread(context, operation, variables))
        except RequestRefused as refused:
            return _refusal(refused)
        except OperationCancelled:
            return _json(200, {"errors": [{"message": "context canceled"}], "data": None})

    async def _in_thread(self, context: Context, operation: Operation, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run a mutation with its hooks; when the client goes, so does the running hook."""
        with self._lock:
            self._in_hand.add(context.cancellation)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._workers, execute, context, operation, variables)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else will look
            if self.kills_hooks_on_disconnect:
                context.cancellation.cancel()
            raise
        finally:
            work.add_done_callback(lambda _done: self._in_hand.discard(context.cancellation))

    def _elsewhere(self, request: Request) -> Response:
        picture = picture_kind(request.path)
        if picture is not None:
            return serve_picture(request, *picture, self._engine.library)
        if request.path == "/healthz":
            return Response(200, b".", (("Content-Type", "text/plain; charset=utf-8"),))
        if request.path == "/login":
            return self._log_in(request)
        if request.path.startswith("/plugin/"):
            return self._plugin_file(request.path)
        return Response(200, _PAGE, (_HTML,))

    def _plugin_file(self, path: str) -> Response:
        """All scripts or all styles of a plugin in one (internal/api/routes_plugin.go); nothing else is under here."""
        plugin_id, _, kind = path.removeprefix("/plugin/").partition("/")
        files = self._engine.host.ui_files(plugin_id, kind) if kind in _UI_TYPES else None
        if files is None:
            return Response(404)
        try:
            body = b"".join(file.read_bytes() + b"\n" for file in files)
        except OSError:
            return Response(500)
        return Response(200, body, (("Content-Type", _UI_TYPES[kind]),))

    def _log_in(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(200, _LOGIN_PAGE, (_HTML,))
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", errors="replace")).items()}
        config = self._engine.config
        if (form.get("username"), form.get("password")) != (config.username, config.password):
            return Response(401, _LOGIN_PAGE, (_HTML,))
        cookie = self._engine.sessions.set_cookie(Session(config.username))
        return Response(302, headers=(("Location", form.get("returnURL") or "/"), ("Set-Cookie", cookie)))

    def _finish(self, answer: Answer, request: Request) -> Answer:
        """Add what nearly all answers carry, and compress a long one if that is asked for."""
        if not isinstance(answer, Response):
            return answer
        headers = [*answer.headers, ("Vary", "Origin"), ("X-Content-Type-Options", "nosniff")]
        session = self._engine.sessions.from_header(request.headers.get("cookie", ""))
        if session is not None and answer.status < 300:  # noqa: PLR2004 - a success
            headers.append(("Set-Cookie", self._engine.sessions.set_cookie(session)))
        body = answer.body
        if "gzip" in request.headers.get("accept-encoding", "") and len(body) >= _SMALLEST_GZIPPED_BYTES:
            body = gzip.compress(body, compresslevel=1)
            headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        return replace(answer, body=body, headers=tuple(headers))


def _read_graphql(request: Request) -> _GraphQLRequest:
    """Return what is asked. Raises :class:`RequestRefused` for everything that gqlgen has no transport for."""
    if request.method == "GET":
        query = dict(request.query)
        variables = _decoded(query["variables"]) if query.get("variables") else {}
        return _GraphQLRequest(query.get("query", ""), query.get("operationName"), _as_object(variables, ""))
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if request.method != "POST" or kind != "application/json":
        raise RequestRefused(400, {"message": "transport not supported"})
    text = request.body.decode("utf-8", errors="replace")
    document = _as_object(_decoded(text), text)
    variables = _as_object(document.get("variables") or {}, text)
    return _GraphQLRequest(document.get("query") or "", document.get("operationName"), variables)


def _decoded(text: str) -> object:
    try:
        return go_json.decode(text)
    except json.JSONDecodeError as error:
        at = text[error.pos : error.pos + 1]
        reason = f"invalid character '{at}' looking for beginning of value" if at else "unexpected EOF"
        raise _undecodable(reason, text) from error


def _as_object(document: object, text: str) -> dict[str, Any]:
    if isinstance(document, dict):
        return document
    kind = {list: "array", str: "string", bool: "bool"}.get(type(document), "number")
    raise _undecodable(f"json: cannot unmarshal {kind} into Go value of type graphql.RawParams", text)


def _undecodable(reason: str, text: str) -> RequestRefused:
    return RequestRefused(400, {"message": f"json request body could not be decoded: {reason} body:{text}"})


def _refusal(refused: RequestRefused) -> Response:
    return _json(refused.status, {"errors": list(refused.errors), "data": None})


def _json(status: int, document: Mapping[str, Any]) -> Response:
    return Response(status, go_json.encode(document), (_JSON,))


def _base_url(request: Request) -> str:
    """URLs in answers point to where the request was sent, as the client or its proxy says."""
    scheme = request.headers.get("x-forwarded-proto", "https" if request.secure else "http")
    return f"{scheme}://{request.headers.get('host', 'localhost')}"
