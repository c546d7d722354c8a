"""Signing in, where the server was given a token."""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from halo_forge.web.security import ADMISSION, LOGIN, admission
from halo_forge.web.site import form_of, site_of


def show(request: Request) -> Response:
    """Ask for the token."""
    return site_of(request).page(request, "login.html", title="Sign in", message="")


def enter(request: Request) -> Response:
    """Compare the token, and remember the visitor."""
    site = site_of(request)
    given, token = form_of(request).get("token", ""), site.settings.token
    if token is None or not hmac.compare_digest(given.encode(), token.encode()):
        return site.page(request, "login.html", 403, title="Sign in", message="That is not the token.")
    response = RedirectResponse("/", 303)
    response.set_cookie(ADMISSION, admission(site.secret, token), httponly=True, samesite="strict", max_age=14 * 86_400)
    return response


ROUTES = [Route(LOGIN, show), Route(LOGIN, enter, methods=["POST"])]
