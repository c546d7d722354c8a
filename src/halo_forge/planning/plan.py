"""A plan: the prediction, the memory, and what more nodes would bring."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from halo_forge.config.plan import PlanConfig
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.types import Record
from halo_forge.planning.measured import read_rates
from halo_forge.planning.predict import Prediction, Work, knee, predict
from halo_forge.planning.rates import Rates, Shape, read_rates_file
from halo_forge.planning.simulate import Network, Simulated, simulate
from halo_forge.planning.sizes import read_size
from halo_forge.planning.trial import measure
from halo_forge.runs.overview import list_runs

GIB = 2**30
NOTABLE = 0.1  # processors
FAR = 4.0  # times as large
DEFAULTS: dict[str, Any] = {"holdout_fraction": 0.1, "samples": 8, "rows_per_chunk": 64, "cycles": 5, "epochs": 1.0}


class BytesEach(NamedTuple):
    """Bytes for each parameter of the model on an accelerator with bfloat16, and of those that are trained.

    Full training: weights, gradients and two moments in float32, and autocast's copies. An adapter trains about a
    hundredth of as many, in float32, above weights of 16 or of 4 bits.
    """

    held: float
    trained_share: float


BYTES = {"full": BytesEach(2.0, 1.0), "lora": BytesEach(2.0, 0.01), "qlora": BytesEach(0.6, 0.01)}
BYTES_A_TRAINED_PARAMETER = 16.0


class Plan(Record):
    """What `halo-forge plan` says.

    Args:
        memory_gib: for weights, gradients and optimiser; what rows in work take comes on top. None where the model's
            size is not known.
        simulated: the last cycle on 1, 2, 4, … nodes.
        stops_at: nodes from which twice as many save less than a fifth of the time; None if none were simulated.
        notes: what makes it less sure.
    """

    rates: Rates
    work: Work
    prediction: Prediction
    memory_gib: float | None
    simulated: tuple[Simulated, ...]
    stops_at: int | None
    notes: tuple[str, ...] = ()


def make_plan(config: PlanConfig) -> Plan:
    """Find the rates, predict, and simulate.

    Raises:
        ConfigError, DataError: there are no rates to be had.
        ModelError: the model's size cannot be told.
        EnvironmentFault: the run that was to be measured failed, or nodes are to be simulated and simpy is missing.
    """
    measured = rates = _find_rates(config)
    if config.model is not None:
        rates = measured.for_parameters(read_size(config.model))
    shape = _shape(config, rates)
    held_out = round(shape.prompts * shape.holdout_fraction)
    work = Work(
        prompts=shape.prompts - held_out,
        holdout=held_out,
        samples=shape.samples,
        cycles=shape.cycles,
        rows_per_chunk=shape.rows_per_chunk,
        epochs=shape.epochs,
    )
    tuning = config.tuning or rates.tuning or "lora"
    counts = [1 << power for power in range(config.nodes.bit_length()) if config.nodes > 1]
    network = Network(bytes_per_s=config.network_gbit * 1e9 / 8)
    simulated = [simulate(rates, work, count, network, config.seed) for count in counts]
    return Plan(
        rates=rates,
        work=work,
        prediction=predict(rates, work),
        memory_gib=None if rates.parameters is None else memory_bytes(rates.parameters, tuning) / GIB,
        simulated=tuple(simulated),
        stops_at=knee(counts, [each.seconds for each in simulated]) if simulated else None,
        notes=(*_notes(rates, shape, tuning), *_scaled_far(measured, rates)),
    )


def memory_bytes(parameters: float, tuning: str) -> float:
    """Bytes that training takes before the first row."""
    each = BYTES[tuning]
    return parameters * (each.held + each.trained_share * BYTES_A_TRAINED_PARAMETER)


def _find_rates(config: PlanConfig) -> Rates:
    if config.measure is not None:
        with TemporaryDirectory(prefix="halo-forge-plan-") as folder:
            return measure(config.measure, Path(folder), config.samples_per_prompt)
    if config.measured is not None:
        return read_rates(config.measured, config.samples_per_prompt)
    if config.rates is not None:
        return read_rates_file(config.rates)
    return _newest_rates(Path.cwd(), config.samples_per_prompt)


def _newest_rates(root: Path, samples: int | None) -> Rates:
    """Rates of the newest RAFT run below a folder that has any."""
    for run in list_runs(root).runs:
        if run.kind == "raft":
            with suppress(DataError):
                return read_rates(Path(run.name), samples)
    raise DataError(
        f"no RAFT run below {root} has finished a cycle, so nothing is known of this machine: give "
        "--measure RAFT.yaml, which makes a short run of these settings, --measured RUN_FOLDER, or --rates FILE"
    )


def _shape(config: PlanConfig, rates: Rates) -> Shape:
    """Take what was asked for, else what the measured run has, else the defaults of `raft train`."""
    asked = {
        "prompts": config.prompts,
        "holdout_fraction": config.holdout_fraction,
        "samples": config.samples_per_prompt or rates.samples,
        "rows_per_chunk": config.generation_batch,
        "cycles": config.cycles,
        "epochs": config.epochs,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if rates.measured is not None:
        return rates.measured.model_copy(update=given)
    if config.prompts is None:
        raise ConfigError("--rates of a machine that you describe say nothing of the run: give its --prompts")
    return Shape.model_validate({**DEFAULTS, **given})


def _notes(rates: Rates, shape: Shape, tuning: str) -> tuple[str, ...]:
    """What makes the prediction less sure."""
    notes = []
    if rates.tuning not in (None, tuning):
        notes.append(
            f"the measured run trained with --tuning {rates.tuning}: times and disk are for that, not for {tuning}"
        )
    known = len(rates.rows_per_prompt)
    if rates.samples is not None and shape.samples != rates.samples:
        notes.append(
            f"how much is new and kept holds for {rates.samples} samples a prompt, not {shape.samples}: "
            "give --measured or --measure, which go by the samples"
        )
    if shape.cycles > known:
        notes.append(f"{known} cycles were measured; what is new in later ones is extrapolated")
    if rates.others >= NOTABLE:
        notes.append(
            f"other work took {rates.others:.1f} processors while this was measured: it holds for a machine as busy"
        )
    return tuple(notes)


def _scaled_far(measured: Rates, rates: Rates) -> list[str]:
    """What to think of rates that are taken from a model of quite another size."""
    if measured.parameters is None or rates.parameters is None:
        return []
    times = rates.parameters / measured.parameters
    if 1 / FAR <= times <= FAR:
        return []
    sizes = f"{rates.parameters:,.0f} parameters, and one of {measured.parameters:,.0f}"
    return [f"the model has {sizes} was measured: this tells hours from days, no more"]
