"""Leaving out rows that hold a problem of a benchmark, and recording beside the file what was looked for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from halo_forge.config.curate import DecontaminateConfig
from halo_forge.core.events import EventLog
from halo_forge.core.types import Record
from halo_forge.data.curate.benchmarks import Benchmark, load_benchmark
from halo_forge.data.curate.chunks import Chunk, decode_lines, in_order, processes_for, read_chunks
from halo_forge.data.curate.contamination import Check, record_checks
from halo_forge.data.curate.overlap import Hit, OverlapIndex
from halo_forge.data.curate.rewriting import Telling, count_rows, rewriting
from halo_forge.data.curate.texts import row_text


class Found(Record):
    """What was found of one benchmark.

    Args:
        items: its problems.
        rows: rows that hold one of them.
        found: problems that some row holds.
    """

    name: str
    sha256: str
    items: int
    rows: int
    found: int


class DecontaminateSummary(Record):
    """Result of `data decontaminate`."""

    path: str
    output: str
    report: str
    rows: int
    kept: int
    benchmarks: tuple[Found, ...]


class _Job:
    """What a process was set up with."""

    path: Path
    index: OverlapIndex


def decontaminate_file(path: Path, config: DecontaminateConfig, events: EventLog) -> DecontaminateSummary:
    """Copy the rows of a file that hold no problem of the benchmarks.

    Raises:
        DataError: a line is no row, or a benchmark cannot be loaded.
        ConfigError, EnvironmentFault: there is no such benchmark, or the output cannot be written.
    """
    total = count_rows(path)
    benchmarks = [load_benchmark(name) for name in dict.fromkeys(config.against)]
    report = config.report or config.output.with_name(config.output.name + ".hits.jsonl")
    index = OverlapIndex(benchmarks, config.ngram, config.near)
    telling = Telling(events, "decontaminate", total)
    rows = 0
    rows_hit: Counter[int] = Counter()
    items_hit: list[set[str]] = [set() for _ in benchmarks]
    with rewriting(config.output, path) as output, rewriting(report) as hits:
        work = in_order(_look, read_chunks(path), processes_for(path, config.processes), _set_up, path, index)
        for chunk, found in work:
            output.append_all([line for place, line in enumerate(chunk.lines) if place not in found])
            for place in sorted(found):
                for hit in found[place]:
                    items_hit[hit.benchmark].add(hit.item)
                    hits.append(_written(chunk.numbers[place], hit, benchmarks))
                rows_hit.update({hit.benchmark for hit in found[place]})
            rows += len(chunk.lines)
            telling.add(len(chunk.lines))
        telling.finish()
    checks = [
        Check(
            against=benchmark.name,
            sha256=benchmark.sha256,
            items=len(benchmark.items),
            rows=rows,
            hits=rows_hit[number],
            ngram=config.ngram,
            near=config.near,
        )
        for number, benchmark in enumerate(benchmarks)
    ]
    record_checks(path, config.output, output.sha256, output.rows, checks)
    return DecontaminateSummary(
        path=str(path),
        output=str(config.output),
        report=str(report),
        rows=rows,
        kept=output.rows,
        benchmarks=tuple(
            Found(
                name=one.name,
                sha256=one.sha256,
                items=len(one.items),
                rows=rows_hit[number],
                found=len(items_hit[number]),
            )
            for number, one in enumerate(benchmarks)
        ),
    )


def _set_up(path: Path, index: OverlapIndex) -> None:
    _Job.path, _Job.index = path, index


def _look(chunk: Chunk) -> dict[int, list[Hit]]:
    """Return place in the chunk -> hits, for the rows that have any."""
    said = [row_text(values) for values in decode_lines(_Job.path, chunk)]
    texts = [f"{one.whole}\n{one.beside}" if one.beside else one.whole for one in said]
    suspected = _Job.index.suspects(texts) if texts else ()
    found = {}
    for place, one in enumerate(said):
        if suspected[place] or _Job.index.asks_short(one.question):
            hits = _Job.index.hits(texts[place], one.question)
            if hits:
                found[place] = hits
    return found


def _written(line: int, hit: Hit, benchmarks: list[Benchmark]) -> bytes:
    name = benchmarks[hit.benchmark].name
    content = {"line": line, "benchmark": name, "item": hit.item, "kind": hit.kind, "gram": hit.gram}
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
