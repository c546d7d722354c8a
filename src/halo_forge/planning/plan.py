"""A plan: the prediction, the memory, and what more nodes would bring."""

from __future__ import annotations

from typing import NamedTuple

from halo_forge.config.plan import PlanConfig, parameter_count
from halo_forge.core.types import Record
from halo_forge.planning.predict import Prediction, Work, knee, predict
from halo_forge.planning.rates import Rates, read_rates, read_rates_file
from halo_forge.planning.simulate import Network, Simulated, simulate

GIB = 2**30


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
    """

    rates: Rates
    work: Work
    prediction: Prediction
    memory_gib: float | None
    simulated: tuple[Simulated, ...]
    stops_at: int | None


def make_plan(config: PlanConfig) -> Plan:
    """Read the rates, predict, and simulate.

    Raises:
        ConfigError, DataError: there are no rates to be had.
        EnvironmentFault: nodes are to be simulated and simpy is not installed.
    """
    rates = read_rates(config.measured) if config.measured is not None else _from_file(config)
    if config.parameters is not None:
        rates = rates.for_parameters(parameter_count(config.parameters))
    held_out = int(config.prompts * config.holdout_fraction)
    work = Work(
        prompts=config.prompts - held_out,
        holdout=held_out,
        samples=config.samples_per_prompt,
        cycles=config.cycles,
        rows_per_chunk=config.generation_batch,
        epochs=config.epochs,
    )
    counts = [1 << power for power in range(config.nodes.bit_length()) if config.nodes > 1]
    network = Network(bytes_per_s=config.network_gbit * 1e9 / 8)
    simulated = [simulate(rates, work, count, network, config.seed) for count in counts]
    return Plan(
        rates=rates,
        work=work,
        prediction=predict(rates, work),
        memory_gib=None if rates.parameters is None else memory_bytes(rates.parameters, config.tuning) / GIB,
        simulated=tuple(simulated),
        stops_at=knee(counts, [each.seconds for each in simulated]) if simulated else None,
    )


def memory_bytes(parameters: float, tuning: str) -> float:
    """Bytes that training takes before the first row."""
    each = BYTES[tuning]
    return parameters * (each.held + each.trained_share * BYTES_A_TRAINED_PARAMETER)


def _from_file(config: PlanConfig) -> Rates:
    assert config.rates is not None
    return read_rates_file(config.rates)
