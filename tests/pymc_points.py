"""Points of a PyMC model on the variables' own scale, and log densities there."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors

from lift.rng import stream

PLAIN = "FAST_COMPILE"
"""Without a compiler: each graph is evaluated once."""


def point_of(model: pm.Model, seed: int) -> dict[str, np.ndarray]:
    """Return values of the free variables on their own scale, drawn from something like a prior."""
    rng = stream(seed, "point")
    point = {}
    shapes = model.eval_rv_shapes()
    for variable in model.free_RVs:
        shape = shapes[variable.name]
        if variable.name == "displacement":
            point[variable.name] = rng.uniform(0.05, 0.5, shape)
        elif variable.name.endswith("_sd"):
            point[variable.name] = rng.uniform(0.05, 0.4, shape)
        else:
            point[variable.name] = 0.5 * rng.standard_normal(shape)
    return point


def log_density(model: pm.Model, name: str, point: dict[str, np.ndarray]) -> float:
    """Return the log density of one variable at values of the free ones on their own scale."""
    return log_densities(model, [name], point)[name]


def log_densities(
    model: pm.Model, names: list[str], point: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return the log density of each variable at values of the free ones on their own scale."""
    values = {}
    for variable in model.free_RVs:
        transform = model.rvs_to_transforms[variable]
        value = model.rvs_to_values[variable]
        given = point[variable.name]
        if transform is not None:
            made = transform.forward(pt.as_tensor(given), *variable.owner.inputs)
            above = set(ancestors([made]))
            needed = {rv: point[rv.name] for rv in model.free_RVs if rv in above}
            given = made.eval(needed, on_unused_input="ignore", mode=PLAIN)
        values[value.name] = given
    terms = model.logp(vars=[model[name] for name in names], jacobian=False, sum=False)
    compiled = model.compile_fn(
        terms, inputs=model.value_vars, mode=PLAIN, on_unused_input="ignore"
    )
    found = compiled(values)
    return {name: float(np.sum(each)) for name, each in zip(names, found, strict=True)}
