"""Who writes: the providers' own clients, each asked for one answer at a time, and their errors in our words.

The clients' own retries are off: a request that is sent again may be paid again, so the ledger has to know of it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from importlib import import_module
from time import time
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx2

from halo_forge.config.generate import GenerateConfig
from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.datagen.plan import Request
from halo_forge.datagen.reply import Reply, read_anthropic, read_openai

# A proxy for the outside must not be asked for this machine.
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
LOCAL_OLLAMA = "http://127.0.0.1:11434/v1"
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# Turned away before any work was done; after the other 5xx the work may have been done, and paid.
TURNED_AWAY = frozenset({408, 409, 425, 429, 503, 529})
HOPELESS = frozenset({401, 402, 403, 404})
LONGEST_REASON = 300
# What stands in place of a key that a server repeats.
MASK = "[key]"


class Provider(NamedTuple):
    """What a backend is.

    Args:
        package: the client's module, of the extra `generate`.
        key: the variable that holds the key; None where none is needed.
        url: its address; None where the user names it.
        model: what writes unless the user says otherwise.
        limit: the parameter that bounds the tokens of an answer.
    """

    package: str
    key: str | None
    url: str | None
    model: str | None
    limit: str = "max_tokens"


PROVIDERS = {
    "deepseek": Provider("openai", "DEEPSEEK_API_KEY", "https://api.deepseek.com", "deepseek-flash"),
    "openai": Provider(
        "openai", "OPENAI_API_KEY", "https://api.openai.com/v1", "gpt-6-luna", limit="max_completion_tokens"
    ),
    "anthropic": Provider("anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com", "claude-sonnet-5-5"),
    "ollama": Provider("openai", None, LOCAL_OLLAMA, None),
    "compatible": Provider("openai", None, None, None),
}
COMPATIBLE_KEY = "HALO_FORGE_SERVER_KEY"


class RequestFailed(Exception):
    """A request came to nothing.

    Args:
        reason: one line, without the key.
        maybe_paid: whether the server may have worked on it.
        again: whether the same request may yet succeed.
        hopeless: whether no request will.
        wait_s: how long the server asks to be left alone; None if it does not say.
    """

    def __init__(
        self,
        reason: str,
        *,
        maybe_paid: bool,
        again: bool = True,
        hopeless: bool = False,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_paid = maybe_paid
        self.again = again
        self.hopeless = hopeless
        self.wait_s = wait_s


class Backend(Protocol):
    """Writes answers."""

    async def ask(self, request: Request) -> Reply:
        """Get one answer.

        Raises:
            RequestFailed: there is none.
        """
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class Target(NamedTuple):
    """Where requests go.

    Args:
        url: the address.
        model: the model asked for.
        named_url: the user's own address, None where it is the backend's.
    """

    backend: str
    url: str
    model: str
    named_url: str | None


def find_target(config: GenerateConfig) -> Target:
    """Return where requests go.

    Raises:
        ConfigError: no model is named, or the address is none, or holds a key.
    """
    provider = PROVIDERS[config.writer]
    if config.base_url is not None:
        require_plain_url(config.base_url)
    url = config.base_url or provider.url
    model = config.model or provider.model
    if model is None or url is None:
        raise ConfigError(f"--backend {config.writer} needs --model: the name under which the server has it")
    return Target(config.writer, url, model, config.base_url)


def require_plain_url(url: str) -> None:
    """Refuse an address that cannot be one, or that holds what must not be written down.

    Raises:
        ConfigError: as said; the text does not show the address where it holds a secret.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "--base-url may hold no name, password, query or key, as it is written into the ledger: "
            f"put the key into the backend's variable, for --backend compatible {COMPATIBLE_KEY}"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"--base-url {url}: give an address such as http://127.0.0.1:8000/v1")


def open_backend(config: GenerateConfig, target: Target) -> Backend:
    """Make the client, with the key from the environment.

    Raises:
        ConfigError: the key is not set.
        EnvironmentFault: the client's package is not installed.
    """
    provider = PROVIDERS[target.backend]
    key = os.environ.get(provider.key or COMPATIBLE_KEY, "").strip()
    if provider.key and not key:
        raise ConfigError(f"--backend {target.backend} needs a key: put it into the variable {provider.key}")
    try:
        sdk = import_module(provider.package)
    except ImportError as error:
        raise EnvironmentFault(
            f"--backend {target.backend} needs the package {provider.package}: pip install 'halo-forge[generate]'"
        ) from error
    kind = _Anthropic if provider.package == "anthropic" else _OpenAI
    return kind(sdk, config, target, key)


class _Client:
    """What both clients share: their errors have the same names."""

    def __init__(self, sdk: Any, config: GenerateConfig, target: Target, key: str) -> None:
        self._sdk = sdk
        self._config = config
        self._target = target
        self._key = key

    def _connections(self) -> httpx2.AsyncClient | None:
        """Return what the client sends with; None leaves that to the client."""
        if urlsplit(self._target.url).hostname not in LOCAL:
            return None
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        return httpx2.AsyncClient(trust_env=False, limits=limits, timeout=self._config.timeout_s)

    async def _send(self, create: Callable[[], Awaitable[Any]], read: Callable[[Any], Reply]) -> Reply:
        sdk = self._sdk
        try:
            async with asyncio.timeout(self._config.timeout_s):
                raw = await create()
            reply = read(json.loads(raw.http_response.content))
        except (TimeoutError, sdk.APITimeoutError) as error:
            sent = not isinstance(error.__cause__, NOT_SENT)
            raise RequestFailed(f"no answer within {self._config.timeout_s:g} s", maybe_paid=sent) from None
        except sdk.APIConnectionError as error:
            cause = error.__cause__
            reason = self._masked(f"the connection failed: {cause or error}")
            raise RequestFailed(reason, maybe_paid=not isinstance(cause, NOT_SENT)) from None
        except sdk.APIStatusError as error:
            raise self._status(error.response) from None
        except (ValueError, RecursionError, httpx2.HTTPError) as error:
            raise RequestFailed(self._masked(f"an answer that cannot be read: {error}"), maybe_paid=True) from None
        return reply._replace(text=self._hidden(reply.text), model=self._hidden(reply.model))

    def _status(self, response: httpx2.Response) -> RequestFailed:
        status = response.status_code
        said = _said(response)
        broke = "insufficient_quota" in said or "insufficient balance" in said.lower()
        return RequestFailed(
            self._masked(f"{status}: {said}"),
            maybe_paid=status >= 500 and status not in TURNED_AWAY,
            again=(status in TURNED_AWAY or status >= 500) and not broke,
            hopeless=status in HOPELESS or broke,
            wait_s=_retry_after(response.headers.get("retry-after"), response.headers.get("retry-after-ms")),
        )

    def _masked(self, text: str) -> str:
        """Put words into one short line without the key."""
        return " ".join(self._hidden(text).split())[:LONGEST_REASON]

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, MASK) if self._key else text


class _OpenAI(_Client):
    """DeepSeek, OpenAI, Ollama and every server of OpenAI's protocol."""

    def __init__(self, sdk: Any, config: GenerateConfig, target: Target, key: str) -> None:
        super().__init__(sdk, config, target, key)
        self._client = sdk.AsyncOpenAI(
            api_key=key or "none",
            base_url=target.url,
            max_retries=0,
            timeout=config.timeout_s,
            http_client=self._connections(),
        )
        if target.backend != "openai":
            # The client reads these from the environment, and they are nobody else's business.
            self._client.organization = self._client.project = None

    async def ask(self, request: Request) -> Reply:
        """See `Backend`."""
        own: dict[str, Any] = {PROVIDERS[self._target.backend].limit: self._config.max_new_tokens}
        if self._config.temperature is not None:
            own["temperature"] = self._config.temperature
        messages = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
        create = self._client.chat.completions.with_raw_response.create
        return await self._send(lambda: create(model=self._target.model, messages=messages, **own), read_openai)

    async def close(self) -> None:
        """See `Backend`."""
        await self._client.close()


class _Anthropic(_Client):
    """Anthropic."""

    def __init__(self, sdk: Any, config: GenerateConfig, target: Target, key: str) -> None:
        super().__init__(sdk, config, target, key)
        self._client = sdk.AsyncAnthropic(
            api_key=key,
            auth_token=None,
            base_url=target.url,
            max_retries=0,
            timeout=config.timeout_s,
            http_client=self._connections(),
        )

    async def ask(self, request: Request) -> Reply:
        """See `Backend`."""
        # No parameter of the client's any more, as its newest models take none; older models still do.
        own = {} if self._config.temperature is None else {"temperature": self._config.temperature}
        create = self._client.messages.with_raw_response.create
        return await self._send(
            lambda: create(
                model=self._target.model,
                max_tokens=self._config.max_new_tokens,
                system=request.system,
                messages=[{"role": "user", "content": request.user}],
                timeout=self._config.timeout_s,
                extra_body=own,
            ),
            read_anthropic,
        )

    async def close(self) -> None:
        """See `Backend`."""
        await self._client.close()


def _said(response: httpx2.Response) -> str:
    """Return the server's own words on an error, with the code that some put beside them."""
    try:
        body = json.loads(response.content)
    except (ValueError, httpx2.ResponseNotRead):
        return response.text or response.reason_phrase
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        parts = [error.get("message") or error.get("detail"), error.get("code")]
        return " ".join(str(part) for part in parts if part) or str(error)
    return str(error)


def _retry_after(value: str | None, milliseconds: str | None) -> float | None:
    """Read how long to wait: seconds, milliseconds, or the date of HTTP (RFC 9110, section 10.2.3)."""
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        return None if value is None else max(0.0, float(value))
    except ValueError:
        pass
    try:
        return None if value is None else max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):
        return None
