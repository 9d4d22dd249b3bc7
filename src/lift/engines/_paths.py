"""Compiled draws of the states' sum in the Gibbs engine."""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from lift._compile import compiled
from lift.engines._scaled import motion
from lift.engines._signals import prior_signal, smoothed_signal


@compiled
def smooth(residual, problem, work, scratch, out):
    """Fill the mean of the states' sum given residuals."""
    slope, slope_phi, noise, noise_phi = motion(problem, work)
    smoothed_signal(
        residual, work.noise, problem.observed, problem.walk, slope, slope_phi, noise, noise_phi,
        work.cov, work.steps, work.level_var, work.loads, work.gained, work.means, scratch.errors,
        scratch.gains, scratch.pushed, out,
    )  # fmt: skip


@compiled
def draw_signal(rng, target, problem, work, scratch, residual, steps, out):
    """Draw the states' sum given what is left of the outcome, in two parts, and the level's steps.

    The sum is ``out`` and ``scratch.path``: the path is from the prior, ``out`` the smoothed
    difference of ``target`` to it. ``residual`` is a buffer.
    """
    n, m = scratch.gains.shape
    for i in range(scratch.normals.shape[0]):
        scratch.normals[i] = rng.standard_normal()
    slope, slope_phi, noise, noise_phi = motion(problem, work)
    prior_signal(
        scratch.normals, problem.walk, slope, slope_phi, noise, noise_phi, work.cov, work.steps,
        work.level_var, work.loads, work.means, scratch.path,
    )  # fmt: skip
    for t in range(n):
        shock = math.sqrt(work.noise[t]) * scratch.normals[n * m + t]
        residual[t] = target[t] - scratch.path[t] - shock
    smooth(residual, problem, work, scratch, out)
    for t in range(n - 1):
        step = math.sqrt(work.level_var[t]) * scratch.normals[(t + 1) * m]
        steps[t] = step + work.level_var[t] * scratch.pushed[t]
