"""What every request has to get past, whatever it is for.

A page on another site can make this browser send requests here (cross-site request forgery), and a name that first
leads to that site and then to this machine makes them look like our own (DNS rebinding). So the `Host` header must be
one of ours on every request, and a change needs our own origin and a token that only our pages hold.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from secrets import token_bytes, token_hex
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from halo_forge.web.settings import Settings

SAFE = frozenset({"GET", "HEAD"})
CHANGES = frozenset({"POST"})
SESSION, ADMISSION = "halo_session", "halo_admission"
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
LONGEST_BODY = 4 << 20
LOGIN = "/login"
OPEN_PATHS = ("/static/", LOGIN)
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware: host, origin, session, token and headers.

    It hands on a form it has read as `scope["form"]`, a list of (name, value).
    """

    def __init__(self, app: ASGIApp, settings: Settings, secret: bytes) -> None:
        self._app = app
        self._settings = settings
        self._names = settings.names
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no WebSockets
        headers = Headers(scope=scope)
        cookies = _cookies(headers)
        session = cookies.get(SESSION, "")
        fresh = not _is_token(session)
        session = token_hex(16) if fresh else session
        scope["csrf"] = _sign(self._secret, b"csrf", session)
        refusal: Response | None = self._refuse(scope, headers)
        if refusal is None and not self._admitted(scope["path"], cookies):
            refusal = (
                RedirectResponse(LOGIN, 303)
                if scope["method"] in SAFE and not scope["path"].startswith("/api/")
                else PlainTextResponse("This page needs its token: open it in a browser and sign in.\n", 401)
            )
        if refusal is None and scope["method"] in CHANGES:
            refusal = await self._read_form(scope, receive, headers)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send, None))
            return
        cookie = f"{SESSION}={session}; Path=/; HttpOnly; SameSite=Strict" if fresh else None
        await self._app(scope, receive, _with_headers(send, cookie))

    def _refuse(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            return PlainTextResponse("This server does not answer to that name.\n", 421)
        if scope["method"] not in SAFE | CHANGES:
            return PlainTextResponse("Only GET, HEAD and POST are answered.\n", 405)
        if scope["method"] in SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{name}" for name in self._names}:
            return PlainTextResponse("The request comes from another site.\n", 403)
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("The request comes from another site.\n", 403)
        return None

    def _admitted(self, path: str, cookies: dict[str, str]) -> bool:
        if self._settings.token is None or path.startswith(OPEN_PATHS):
            return True
        return hmac.compare_digest(
            cookies.get(ADMISSION, "").encode(), admission(self._secret, self._settings.token).encode()
        )

    async def _read_form(self, scope: Scope, receive: Receive, headers: Headers) -> PlainTextResponse | None:
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded" and headers.get("content-length") != "0":
            return PlainTextResponse("Send a form (application/x-www-form-urlencoded).\n", 415)
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return PlainTextResponse("The request broke off.\n", 400)
            body += message.get("body", b"")
            if len(body) > LONGEST_BODY:
                return PlainTextResponse("The form is longer than 4 MB.\n", 413)
            if not message.get("more_body", False):
                break
        try:
            form = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=2_000)
        except ValueError:
            return PlainTextResponse("The form cannot be read.\n", 400)
        given = headers.get(CSRF_HEADER) or next((value for name, value in form if name == CSRF_FIELD), "")
        if not hmac.compare_digest(given.encode(), str(scope["csrf"]).encode()):
            return PlainTextResponse("The form is not one of this page's, or it is old: reload the page.\n", 403)
        scope["form"] = [(name, value) for name, value in form if name != CSRF_FIELD]
        return None


def admission(secret: bytes, token: str) -> str:
    """The cookie's value that says its bearer has shown the token."""
    return _sign(secret, b"token", token)


def _sign(secret: bytes, purpose: bytes, text: str) -> str:
    return hmac.new(secret, purpose + b"\0" + text.encode(), sha256).hexdigest()


def new_secret() -> bytes:
    """Make the key that forms and cookies are signed with."""
    return token_bytes(32)


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _is_token(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def _with_headers(send: Send, cookie: str | None) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if cookie is not None:
                headers.append("set-cookie", cookie)
        await send(message)

    return wrapped
