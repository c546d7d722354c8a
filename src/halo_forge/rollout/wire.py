"""Messages between the harness and the verifier's process: four bytes of length, then JSON that a record checks."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from pydantic import JsonValue

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Prompt, Record, Verdict
from halo_forge.sandbox import Tier

LENGTH = Struct(">I")
LARGEST_BYTES = 1 << 30


class Order(Record):
    """The first message to the process: what to build."""

    verifier: str
    options: dict[str, JsonValue]
    sandbox: Tier
    workers: int


class Ready(Record):
    """The first message back: the verifier stands."""

    name: str
    version: str
    tier: str


class Refusal(Record):
    """The first message back, when the verifier cannot be built.

    Args:
        error: the class of `core.errors` to raise; any other name is the verifier's own mistake.
    """

    error: str
    text: str


class Task(Record):
    """A submission on its way to the process."""

    number: int
    prompt: Prompt
    text: str

    @property
    def submission(self) -> Submission:
        """What the verifier gets."""
        return Submission(self.prompt, self.text)


class Result(Record):
    """A verdict on its way back."""

    number: int
    verdict: Verdict


def framed(record: Record) -> bytes:
    """Return the bytes of one message."""
    content = record.model_dump_json().encode()
    return LENGTH.pack(len(content)) + content


class Unframer:
    """Cuts a stream of bytes back into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Take in some bytes and yield the messages that are whole.

        Raises:
            ValueError: this is no stream of messages.
        """
        self._bytes += received
        position = 0
        try:
            while len(self._bytes) - position >= LENGTH.size:
                (length,) = LENGTH.unpack_from(self._bytes, position)
                if length > LARGEST_BYTES:
                    raise ValueError(f"a message of {length} bytes was announced")
                start = position + LENGTH.size
                if len(self._bytes) - start < length:
                    return
                position = start + length
                yield bytes(self._bytes[start:position])
        finally:
            del self._bytes[:position]
