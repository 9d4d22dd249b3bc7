"""The density of a local level as one operation of PyTensor, with its slopes.

PyTensor's own loop over days takes ten times as long, most of it for the derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from lift._compile import kernel_digest
from lift.engines._level_score import level_score
from lift.errors import EngineError

type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""


class LevelDensity(Op):
    """Log density of a random walk plus noise, and its slopes: :func:`level_score` as a graph.

    Only the log density can be differentiated, and once.
    """

    __props__ = ()

    def make_node(self, *inputs: Tensor) -> Apply[Any]:
        """Return the node of residual, noise and step, each of shape (n,)."""
        vectors = [pt.as_tensor(value, dtype="float64") for value in inputs]
        return Apply(self, vectors, [pt.dscalar(), *(pt.dvector() for _ in vectors)])

    def perform(
        self,
        node: Apply[Any],  # noqa: ARG002 - PyTensor's signature
        inputs: Sequence[Any],
        output_storage: list[list[Any | None]],
    ) -> None:
        """Compute the outputs.

        Parameters
        ----------
        node : Apply
        inputs : sequence of ndarray, each of shape (n,)
            Residual, noise and step.
        output_storage : list of list
            Takes the log density and its slopes, each in the first place of its list.
        """
        for storage, value in zip(output_storage, level_score(*inputs), strict=True):
            storage[0] = value

    def pullback(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor],
    ) -> list[Tensor]:
        """Return the slopes of what depends on the log density.

        Parameters
        ----------
        inputs, outputs : sequence of tensor
        cotangents : sequence of tensor
            Slopes by the outputs.

        Returns
        -------
        list of tensor
            By residual, noise and step.

        Raises
        ------
        EngineError
            If something depends on the slopes, so that second derivatives are asked for.
        """
        if not all(isinstance(slope.type, DisconnectedType) for slope in cotangents[1:]):
            raise EngineError(
                "the density of a local level must be differentiated once, found a second "
                "derivative; use what needs first derivatives only, such as the sampler"
            )
        return [cotangents[0] * slope for slope in outputs[1 : 1 + len(inputs)]]


@register_funcify_default_op_cache_key(LevelDensity)
def _compiled(op: LevelDensity, node: Apply[Any], **_: Any) -> tuple[Any, int]:  # noqa: ARG001
    # the second part makes PyTensor's cache forget what other kernels computed
    return level_score, int(kernel_digest(), 16)


def local_level_logp(
    value: Tensor,
    expected: Tensor,
    noise_variance: Tensor,
    step_variance: Tensor,
) -> Tensor:
    """Return the log density of a random walk plus independent noise, the walk integrated out.

    Parameters
    ----------
    value, expected : tensor, shape (n,)
        The series, and its mean apart from the random walk.
    noise_variance : tensor, shape (n,)
        Variance of the noise of each value.
    step_variance : tensor, shape (n,)
        Variance by which the random walk moved before each value; the first is the variance of
        the first level, whose mean is 0.

    Returns
    -------
    tensor, shape ()
    """
    node = LevelDensity().make_node(value - expected, noise_variance, step_variance)
    return node.outputs[0]
