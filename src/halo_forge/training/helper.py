"""What the processes of a team do that do not lead: compute for the one that does, and hold their part of the model."""

from __future__ import annotations

from collections.abc import Callable
from socket import gethostname

from halo_forge.core.errors import EnvironmentFault, HaloError
from halo_forge.models.load import Policy
from halo_forge.training.likeness import likeness
from halo_forge.training.orders import Asked, Batch, Begin, Cut, Failed, Likeness, Move, Order
from halo_forge.training.reference import Reference
from halo_forge.training.settings import LossSettings
from halo_forge.training.sharding import Sharding
from halo_forge.training.step import Stepper
from halo_forge.training.team import Team


def help_out(team: Team, load: Callable[[], Policy]) -> None:
    """Do what the leader asks for until it lets go.

    Args:
        load: loads the policy that the run starts from, as the leader does; called when the first is asked for.

    Raises:
        EnvironmentFault: the leader has ended.
    """
    helper = _Helper(team, load)
    while (asked := team.hear()) is not Order.LEAVE:
        helper.do(asked)


class _Helper:
    """What a helper keeps between two things it is asked for."""

    def __init__(self, team: Team, load: Callable[[], Policy]) -> None:
        self._team = team
        self._load = load
        self._policy: Policy | None = None
        self._likeness: Likeness | None = None
        self._reference: Reference | None = None
        self._steppers: dict[tuple[LossSettings, bool], Stepper] = {}

    def do(self, asked: Asked) -> None:
        """Do one thing that the leader asked for."""
        if isinstance(asked, Batch):
            self._help_with(asked)
        elif isinstance(asked, Cut):
            self._take_part(asked)
        elif isinstance(asked, Begin):
            self._stepper_of(asked.loss).begin(asked.learning_rate, asked.weight_decay)
        elif isinstance(asked, Move):
            self._stepper.move(asked.rate, asked.max_grad_norm)
        else:
            self._answers()[asked]()

    def _answers(self) -> dict[Order, Callable[[], object]]:
        return {
            Order.ANSWER: lambda: self._team.confirm(None),
            Order.PUT_TOGETHER: lambda: self._sharding.put_together(self._parts),
            Order.TAKE_APART: lambda: self._sharding.take_apart(self._parts),
            Order.GATHER: lambda: self._sharding.gather(self._parts),
            Order.PUT: lambda: self._sharding.put(self._parts, None),
            Order.HOLD: lambda: self._stepper.hold_optimiser(),
            Order.RESTORE: lambda: self._stepper.restore_optimiser(None),
        }

    @property
    def _parts(self) -> Policy:
        assert self._policy is not None
        return self._policy

    @property
    def _sharding(self) -> Sharding:
        assert self._team.sharding is not None
        return self._team.sharding

    @property
    def _stepper(self) -> Stepper:
        (stepper,) = self._steppers.values()
        return stepper

    def _take_part(self, asked: Cut) -> None:
        """Load the model, take in the leader's weights, and keep a part."""
        failure = None
        try:
            policy = self._policy_for(asked.model)
        except HaloError as error:
            failure = Failed(type(error).__name__, str(error))
        self._team.confirm(failure)
        if failure is None:
            self._team.send(policy.trained_weights)
            self._sharding.cut(policy, self._team.size)

    def _help_with(self, batch: Batch) -> None:
        """Compute this process's share of a batch, or tell the leader why that cannot be."""
        stepper, failure = None, None
        try:
            policy = self._policy_for(batch.model, with_reference=batch.loss.kl_coefficient > 0)
            stepper = self._stepper_of(batch.loss, packed=batch.packed)
            policy.model.train()
        except HaloError as error:
            failure = Failed(type(error).__name__, str(error))
        self._team.confirm(failure)
        if stepper is not None and failure is None:
            if not self._team.in_parts:
                self._team.send(stepper.weights)
            stepper.help_with(self._team, batch)

    def _policy_for(self, leaders: Likeness | None, *, with_reference: bool = False) -> Policy:
        if self._policy is None:
            self._policy = self._load()
            if with_reference:  # of the start model, which the policy is until weights come
                self._reference = Reference(self._policy)
            self._likeness = likeness(self._policy, self._reference)
        if leaders is not None and leaders != self._likeness:
            assert self._likeness is not None
            if leaders.shapes != self._likeness.shapes:
                raise EnvironmentFault("its model trains other weights than that of the first process")
            raise EnvironmentFault(
                f"the files of its model hold other weights than those of the first process: give machine "
                f"{gethostname()} the same files"
            )
        return self._policy

    def _stepper_of(self, loss: LossSettings, *, packed: bool = False) -> Stepper:
        assert self._policy is not None
        if (loss, packed) not in self._steppers:
            self._steppers = {(loss, packed): Stepper(self._policy, loss, self._reference, packed=packed)}
        return self._steppers[loss, packed]
