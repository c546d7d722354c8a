"""A small topic, and the command's own function called with settings that make tests quick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from halo_forge.config.generate import GenerateConfig
from halo_forge.config.load import load
from halo_forge.core.events import Event, EventType
from halo_forge.datagen.ledger import SUFFIX
from halo_forge.datagen.loop import generate
from halo_forge.datagen.summary import GenerateSummary

TOPIC = """
name: adding
language: python
verifier: python
style: plain
tests: functions test_… with assert
categories: {small: small numbers, large: large numbers}
levels: {easy: easy, hard: hard}
variations: [apples, pears, plums]
required: ['\\bdef plus_\\d+']
forbidden: ['\\bimport os\\b']
"""


class Desk:
    """A topic, an output, and how often it was written."""

    def __init__(self, folder: Path, url: str, topic: Path | None = None) -> None:
        self.folder = folder
        self.url = url
        self.topic = topic or folder / "adding.yaml"
        if topic is None:
            self.topic.write_text(TOPIC)
        self.output = folder / "out" / "rows.jsonl"
        self.ledger = self.output.with_name(self.output.name + SUFFIX)
        self.heard: list[Event] = []

    def config(self, **changes: object) -> GenerateConfig:
        settings: dict[str, object] = {
            "topic": str(self.topic),
            "output": self.output,
            "base_url": self.url,
            "model": "writer",
            "count": 12,
            "max_new_tokens": 500,
            "sandbox": "limits",
            "workers": 2,
            "cache": False,
        }
        return load(GenerateConfig, settings | changes).config

    def generate(self, *, resume: bool = False, **changes: object) -> GenerateSummary:
        return generate(self.config(**changes), (self.heard.append,), resume=resume)

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in self.ledger.read_text().splitlines()]
        return [entry for entry in entries if entry["kind"] == kind]

    def notices(self) -> list[str]:
        return [str(event.m["message"]) for event in self.heard if event.type is EventType.NOTICE]

    def sidecar(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.output.with_name(self.output.name + ".meta.json").read_text())
        return told
