"""A server of OpenAI's protocol with vLLM's extensions, as far as halo-forge uses them, and a real model behind it.

Adapters are loaded with PEFT and sampled from token by token, each request with its own seed. Moods make it misbehave.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import torch

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.types import Sampling
from halo_forge.generation.sampler import log_distribution
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.resolve import ModelRef

LOADING = LoadingOptions(device="cpu", dtype="float32", threads=1)
CONTEXT = 512


@dataclass
class Moods:
    """How the server misbehaves.

    Args:
        fail: so many further completions end with status 500.
        cut: so many further completions break off in mid-answer.
        abort: so many further completions end for the reason `abort`.
        slow_s: seconds before each completion.
        answer_as: name of the model in every answer, whichever was asked for.
        keep_weights: adapters are listed under their names, and the weights of the first go on answering.
        lose_adapters: so many further loaded adapters are not listed.
        text_only: prompts in token ids are refused, and none are returned.
        extra_prompt_tokens: how many more prompt tokens are counted than there are.
        no_logprobs: none are returned.
        raw_logprobs: those before temperature are returned, as vLLM does unless told otherwise.
        most_tokens: completions are cut there, as by a model's own generation_config.
        ends_inside: completions begin with a token that ends a turn, and go on.
        stops_elsewhere: completions are said to have stopped where no turn ends.
        static: adapters cannot be loaded.
        key: what requests must bring.
    """

    fail: int = 0
    cut: int = 0
    abort: int = 0
    slow_s: float = 0.0
    answer_as: str | None = None
    keep_weights: bool = False
    lose_adapters: int = 0
    text_only: bool = False
    extra_prompt_tokens: int = 0
    no_logprobs: bool = False
    raw_logprobs: bool = False
    most_tokens: int = 10_000
    ends_inside: bool = False
    stops_elsewhere: bool = False
    static: bool = False
    key: str | None = None
    engine: str = "vllm"
    context: int = CONTEXT


@dataclass
class CompletionServer:
    """A running server.

    Args:
        base: the policy below all adapters.
        adapters: name -> policy.
        paths: "METHOD path" of all requests; `asked` holds the bodies of the completions.
    """

    folder: Path
    base: Policy
    moods: Moods = field(default_factory=Moods)
    adapters: dict[str, Policy] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    lock: Lock = field(default_factory=Lock)
    http: ThreadingHTTPServer | None = None
    thread: Thread | None = None

    def start(self, port: int = 0) -> None:
        """Listen on a free local port, or on the one named."""

        class Serving(Handler):
            served = self

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Serving)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def stop(self) -> int:
        """Stop listening and forget the adapters, as a killed server does; returns the port."""
        assert self.http is not None and self.thread is not None
        port = self.http.server_port
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
        self.http = None
        self.adapters.clear()
        return port


@contextmanager
def serve_completions(folder: Path) -> Iterator[CompletionServer]:
    """Serve the model in a folder as `base`."""
    server = CompletionServer(folder, load_policy(ModelRef(str(folder)), LOADING))
    server.start()
    try:
        yield server
    finally:
        if server.http is not None:
            server.stop()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: CompletionServer

    def log_message(self, format: str, *args: object) -> None:
        self.served.paths.append(f"{self.command} {self.path}")

    def do_GET(self) -> None:
        if self._locked_out():
            return None
        if self.path != "/v1/models":
            return self._refuse(404, "Not Found")
        moods = self.served.moods
        cards: list[dict[str, object]] = [
            {"id": "base", "owned_by": moods.engine, "parent": None, "max_model_len": moods.context}
        ]
        cards += [{"id": name, "owned_by": moods.engine, "parent": "base"} for name in list(self.served.adapters)]
        return self._send(200, {"object": "list", "data": cards})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._locked_out():
            return None
        path = self.path if self.served.moods.engine == "sglang" else self.path.removeprefix("/v1")
        if path == "/load_lora_adapter" and not self.served.moods.static:
            return self._load(body)
        if path == "/unload_lora_adapter":
            self.served.adapters.pop(body["lora_name"])
            return self._send(200, "unloaded")
        if self.path == "/v1/completions":
            return self._complete(body)
        return self._refuse(404, "Not Found")

    def _locked_out(self) -> bool:
        key = self.served.moods.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return False
        self._refuse(401, "Unauthorized")
        return True

    def _load(self, body: dict[str, str]) -> None:
        served, moods = self.served, self.served.moods
        if not body:
            return self._refuse(400, "lora_name: Field required")
        name = body["lora_name"]
        if name in served.adapters:
            return self._refuse(400, f"The lora adapter '{name}' has already been loaded.")
        if not (Path(body["lora_path"]) / "adapter_config.json").is_file():
            return self._refuse(404, f"No adapter found for {body['lora_path']}")
        if moods.lose_adapters:
            moods.lose_adapters -= 1
        elif moods.keep_weights and served.adapters:
            served.adapters[name] = next(iter(served.adapters.values()))
        else:
            with served.lock:
                served.adapters[name] = load_policy(ModelRef(str(served.folder), body["lora_path"]), LOADING)
        return self._send(200, f"Success: LoRA adapter '{name}' added successfully.")

    def _complete(self, body: dict[str, Any]) -> None:
        served, moods = self.served, self.served.moods
        served.asked.append(body)
        time.sleep(moods.slow_s)
        if moods.fail:
            moods.fail -= 1
            return self._refuse(500, "EngineCore died")
        name = body["model"].removeprefix("base:") if moods.engine == "sglang" else body["model"]
        policy = served.base if name == "base" else served.adapters.get(name)
        if policy is None:
            return self._refuse(404, f"The model `{name}` does not exist.")
        if isinstance(body["prompt"], list) and moods.text_only:
            return self._refuse(400, "prompt: Input should be a valid string")
        tokenizer = policy.chat.tokenizer
        prompt = body["prompt"] if isinstance(body["prompt"], list) else tokenizer(body["prompt"])["input_ids"]
        with served.lock:
            ids, logprobs = _sample(policy, prompt, body, moods)
        if moods.ends_inside:
            ids[0] = body["stop_token_ids"][0]
        finish = "stop" if ids[-1] in body["stop_token_ids"] or moods.stops_elsewhere else "length"
        if moods.abort:
            moods.abort -= 1
            finish = "abort"
        choice: dict[str, Any] = {
            "index": 0,
            "text": tokenizer.decode(ids, skip_special_tokens=True),
            "finish_reason": finish,
        }
        if not moods.no_logprobs:
            choice["logprobs"] = {"token_logprobs": logprobs}
        if not moods.text_only:
            choice |= {"token_ids": ids, "prompt_token_ids": prompt}
        usage = {"prompt_tokens": len(prompt) + moods.extra_prompt_tokens}
        return self._send(200, {"model": moods.answer_as or body["model"], "choices": [choice], "usage": usage})

    def _refuse(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "code": status}})

    def _send(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.served.moods.cut and self.path == "/v1/completions":
            self.served.moods.cut -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)


@torch.inference_mode()
def _sample(policy: Policy, prompt: list[int], body: dict[str, Any], moods: Moods) -> tuple[list[int], list[float]]:
    sampling = Sampling(temperature=body["temperature"], top_p=body["top_p"], top_k=max(body["top_k"], 0))
    random = torch.Generator().manual_seed(body["seed"])
    ids: list[int] = []
    logprobs: list[float] = []
    for _ in range(min(body["max_tokens"], moods.most_tokens)):
        logits = policy.model(input_ids=torch.tensor([[*prompt, *ids]]), use_cache=False).logits[:, -1]
        drawn = log_distribution(logits, sampling)
        token = logits.argmax() if sampling.temperature == 0 else torch.multinomial(drawn.exp(), 1, generator=random)
        ids.append(int(token))
        told = logits.log_softmax(dim=-1) if moods.raw_logprobs else drawn
        logprobs.append(float(told[0, ids[-1]]))
        if ids[-1] in body["stop_token_ids"]:
            break
    return ids, logprobs
