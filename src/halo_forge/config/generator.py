"""What draws the completions: a model in this process, or servers."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import SAMPLING


class GeneratorOptions(CommandConfig):
    """Where completions come from."""

    generator: Literal["transformers", "server"] = option(
        "transformers",
        "What draws completions: a model in this process, or servers that speak OpenAI's protocol (vLLM, SGLang).",
        section=SAMPLING,
    )
    base_url: tuple[str, ...] = option(
        (),
        "Addresses of the servers, comma-separated, such as http://127.0.0.1:8000/v1; all must serve the same model.",
        section=SAMPLING,
        resumable=True,
    )
    server_model: str | None = option(
        None,
        "Name under which the servers have the model; by default the only one that they list.",
        section=SAMPLING,
        resumable=True,
    )
    server_timeout_s: float = option(
        600.0,
        "Seconds after which a request to a server is given up and sent again.",
        section=SAMPLING,
        gt=0,
        resumable=True,
    )
    server_patience_s: float = option(
        300.0,
        "Seconds that servers may stay away in mid-run before the run stops; the same command then continues.",
        section=SAMPLING,
        ge=0,
        resumable=True,
    )
    max_logprob_gap: float = option(
        0.1,
        "Nats a token by which a server's log-probabilities may differ from the local model's, on average.",
        section=SAMPLING,
        gt=0,
        resumable=True,
    )

    @field_validator("base_url")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"--base-url {url}: give an address such as http://127.0.0.1:8000/v1")
            if parts.username or parts.password or parts.query:
                raise ValueError(
                    "--base-url may hold no name, password or key, as it is kept in the run folder: "
                    "put the key into the variable HALO_FORGE_SERVER_KEY"
                )
        roots = [server_root(url) for url in urls]
        if len(set(roots)) < len(roots):
            raise ValueError(f"--base-url names a server twice: {', '.join(urls)}")
        return urls

    @model_validator(mode="after")
    def _server_has_address(self) -> Self:
        if self.generator == "server" and not self.base_url:
            raise ValueError(
                "--generator server needs --base-url, such as http://127.0.0.1:8000/v1; "
                "`halo-forge serve --model MODEL` prints the command that starts a server"
            )
        if self.generator != "server" and self.base_url:
            raise ValueError("--base-url is for --generator server: add that, or leave the address out")
        return self


def server_root(url: str) -> str:
    """An address without the `/v1` that it may end with."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
