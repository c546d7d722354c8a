"""A server of OpenAI's chat protocol and of Anthropic's messages, with scripted answers and moods to misbehave in."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from typing import Any

SECTIONS = """### Task
Write a Python function `plus_{n}(x)` that adds {n} to a number. {words}

### Answer
Adding is enough.

```python
def plus_{n}(x: int) -> int:
    return x + {n}
```

### Tests
```python
def test_plus():
    assert plus_{n}(1) == {sum}
```
"""


def right_answer(number: int, prompt: str) -> str:
    """The usual answer to the number-th prompt that the server has met."""
    return SECTIONS.format(n=number, words="", sum=number + 1)


@dataclass
class ChatServer:
    """A running server.

    Args:
        answer: (number of the prompt, prompt) -> the text of the answer.
        script: moods of the next requests, one each; see `_Handler._answer`.
        flaky: share of requests with a mood drawn from `moods`, beyond the script.
        wait_s: seconds before each answer.
        retry_after: what a 429 says; None for nothing.
        asked: bodies of the requests; `headers` theirs.
        prompts: prompt -> its number, in the order in which they were met.
        paid: prompt -> answers that were worked out for it, whether or not they arrived.
    """

    answer: Callable[[int, str], str] = right_answer
    script: deque[str] = field(default_factory=deque)
    flaky: float = 0.0
    moods: tuple[str, ...] = ("429", "500", "503", "cut", "drop", "bad")
    wait_s: float = 0.0
    slow_s: float = 5.0
    retry_after: str | None = "0.05"
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    prompts: dict[str, int] = field(default_factory=dict)
    paid: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0
    times: list[float] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(0))
    lock: Lock = field(default_factory=Lock)
    url: str = ""

    def begin(self, body: dict[str, Any], headers: dict[str, str], prompt: str) -> tuple[int, str]:
        """Count a request; return the number of its prompt and the mood to answer it in."""
        with self.lock:
            self.asked.append(body)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            number = self.prompts.setdefault(prompt, len(self.prompts))
            if self.script:
                return number, self.script.popleft()
            return number, self.random.choice(self.moods) if self.random.random() < self.flaky else ""


@contextmanager
def serve_chat(**settings: Any) -> Iterator[ChatServer]:
    """Serve on a free local port."""
    server = ChatServer(**settings)

    class Handler(_Handler):
        served = server

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ChatServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionResetError):  # a client that was killed between two requests
            super().handle()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if len(content) < int(self.headers["Content-Length"]):
            self.close_connection = True  # the client was killed
            return
        body = json.loads(content)
        anthropic = self.path.endswith("/messages")
        prompt = body["messages"][-1]["content"]
        number, mood = self.served.begin(body, {name.lower(): value for name, value in self.headers.items()}, prompt)
        try:
            self._answer(mood, number, prompt, body, anthropic)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client was killed
        finally:
            with self.served.lock:
                self.served.under_way -= 1

    def _answer(self, mood: str, number: int, prompt: str, body: dict[str, Any], anthropic: bool) -> None:
        served = self.served
        key = self.headers.get("Authorization") or self.headers.get("X-Api-Key") or ""
        time.sleep(served.slow_s if mood == "slow" else served.wait_s)
        if mood.isdigit():
            return self._refuse(int(mood), f"no ({mood}) for {key}")
        if mood == "quota":
            return self._refuse(429, "You exceeded your current quota", "insufficient_quota")
        if mood == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        with served.lock:
            served.paid[prompt] += 1
        text = served.answer(number, prompt) + (f"\n{key}\n" if mood == "echo" else "")
        value = _anthropic(text, mood, body) if anthropic else _openai(text, mood, body)
        content = {"bad": b"<html>busy</html>", "list": b"[1]"}.get(mood) or json.dumps(value).encode()
        return self._send(200, content, cut=mood == "cut")

    def _refuse(self, status: int, message: str, code: str | None = None) -> None:
        self._send(status, json.dumps({"error": {"message": message, "code": code, "type": code}}).encode())

    def _send(self, status: int, content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status in (429, 503) and self.served.retry_after is not None:
            self.send_header("Retry-After", self.served.retry_after)
        self.end_headers()
        if cut:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(content)


def _openai(text: str, mood: str, body: dict[str, Any]) -> dict[str, Any]:
    content = {"empty": "", "null": None, "parts": [{"text": text}], "surrogate": text + "\ud800"}.get(mood, text)
    finish = {"length": "length", "filter": "content_filter", "odd": "tired"}.get(mood, "stop")
    usage: object = {"prompt_tokens": 100, "completion_tokens": 50}
    usage = {"no_usage": None, "bad_usage": {"prompt_tokens": -1, "completion_tokens": "many"}}.get(mood, usage)
    message = {"role": "assistant", "content": content}
    choices = [] if mood == "no_choices" else [{"index": 0, "message": message, "finish_reason": finish}]
    return {"id": "1", "object": "chat.completion", "model": body["model"], "choices": choices, "usage": usage}


def _anthropic(text: str, mood: str, body: dict[str, Any]) -> dict[str, Any]:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": text}]
    reason = {"length": "max_tokens", "filter": "refusal"}.get(mood, "end_turn")
    usage = {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 50}
    return {"id": "1", "type": "message", "role": "assistant", "model": body["model"], "content": blocks} | {
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }
