# %% [markdown]
# # From R's CausalImpact or tfcausalimpact to lift, line for line
#
# Each cell has the line of R, that of the Python port, and that of lift. The model, its priors and
# the definitions of the summary are those of R's CausalImpact 1.3; the sampler is lift's own, and
# says whether its chains agree.

# %%
import os

import numpy as np
import pandas as pd

import lift
from lift.rng import stream

NITER = int(os.environ.get("LIFT_NITER", "4000"))

# %% [markdown]
# ## Data
# R: `x1 <- 100 + arima.sim(list(ar = 0.999), n = 100); y <- 1.2 * x1 + rnorm(100)`
#
# R: `y[71:100] <- y[71:100] + 10; data <- cbind(y, x1)`

# %%
rng = stream(1, "from causalimpact")
x1 = 100 + np.cumsum(rng.normal(size=100))
y = 1.2 * x1 + rng.normal(size=100)
y[70:] += 10
data = pd.DataFrame({"y": y, "x1": x1})

# %% [markdown]
# ## The call
# R: `impact <- CausalImpact(data, c(1, 70), c(71, 100))`
#
# tfcausalimpact: `ci = CausalImpact(data, [0, 69], [70, 99])`
#
# Whole numbers are those of the index: rows are counted from 0, as in the port, where R counts
# from 1.

# %%
impact = lift.CausalImpact(data, [0, 69], [70, 99], model_args={"niter": NITER})

# %% [markdown]
# ## Table and sentences
# R: `summary(impact)` and `summary(impact, "report")`
#
# tfcausalimpact: `print(ci.summary())` and `print(ci.summary(output="report"))`

# %%
print(impact.summary())

# %%
print(impact.summary("report"))

# %% [markdown]
# ## Figure
# R: `plot(impact, c("original", "pointwise", "cumulative"))`
#
# tfcausalimpact: `ci.plot()`, which shows it. Here it is returned: save it or show it.

# %%
figure = impact.plot(["original", "pointwise", "cumulative"])

# %% [markdown]
# ## Numbers
# R: `impact$summary`, `impact$series`, `impact$summary$p[1]`
#
# tfcausalimpact: `ci.summary_data` (rows and columns exchanged), `ci.inferences`, `ci.p_value`
#
# Names are R's: `AbsEffect.lower`, `point.pred`, `cum.effect.upper`.

# %%
total = impact.summary_data.loc["Cumulative"]
effect, lower, upper = total[["AbsEffect", "AbsEffect.lower", "AbsEffect.upper"]]
so_far = impact.inferences["cum.effect"]
p = impact.p_value

# %% [markdown]
# ## Can the draws be believed?
# R: not asked: one chain, no R-hat. tfcausalimpact: variational inference by default.
#
# Chains that disagree raise `lift.DiagnosticsError`; else the table says how well they agree.

# %%
print(impact.convergence.round(3).to_string(index=False))

# %% [markdown]
# ## Dates, seasons, priors
# R: `data <- zoo(cbind(y, x1), dates)`
#
# R: `CausalImpact(data, as.Date(c("2014-01-01", "2014-03-11")), ...,`
# `model.args = list(niter = 5000, nseasons = 7, prior.level.sd = 0.1))`
#
# tfcausalimpact: `CausalImpact(data, ["2014-01-01", "2014-03-11"], ...,`
# `model_args={"nseasons": 7, "prior_level_sd": 0.1})`
#
# R's dots are taken as well as underscores.

# %%
dated = data.set_index(pd.date_range("2014-01-01", periods=100))
pre, post = ["2014-01-01", "2014-03-11"], ["2014-03-12", "2014-04-10"]
args = {"niter": NITER, "nseasons": 7, "prior.level.sd": 0.1}
weekly = lift.CausalImpact(dated, pre, post, model_args=args, alpha=0.1)

# %% [markdown]
# ## Gaps and missing values
# R: rows between the periods are left out, `NA` in the response is allowed. So here, on either side
# of the intervention; what was left out is told.

# %%
holes = dated.copy()
holes.iloc[[5, 75], 0] = np.nan
late = lift.CausalImpact(holes, pre, ["2014-03-15", "2014-04-10"], model_args={"niter": NITER})
for note in late.notes:
    print(note)

# %% [markdown]
# ## Coefficients that change over time
# R: `model.args = list(dynamic.regression = TRUE)`. Each control's coefficient walks from row to
# row with an sd of its own, in place of the spike-and-slab regression; priors as in R 1.3.

# %%
walking = lift.CausalImpact(dated, pre, post, {"niter": NITER, "dynamic.regression": True})
print(walking.summary())
print(walking.coefficient_paths.mean("draw").to_series().iloc[[0, -1]])

# %% [markdown]
# ## What is refused
# `fit_method` (tfcausalimpact) has no counterpart; names that are not known are refused, and so are
# inputs on which R is silent: here a control that is the response. All faults are told at once.

# %%
try:
    lift.CausalImpact(dated.assign(x2=dated["y"]), pre, post, model_args={"fit_method": "hmc"})
except lift.InputError as error:
    refused = str(error)
    print(refused)

# %% [markdown]
# ## What R has not
# A log or count scale, further seasons and holidays.

# %%
logs = lift.CausalImpact(
    dated, pre, post, model_args={"niter": NITER, "scale": "log", "holidays": "US"}
)

# %% [markdown]
# ## Many interventions in one series
# CausalImpact knows one. Posts that follow each other closely are what lift is for: all of them in
# one model, each with its own effect.

# %%
downloads = dated["y"].mul(10).round().rename_axis("date").rename("downloads").reset_index()
times = pd.to_datetime(["2014-03-12 09:00", "2014-03-20 18:00"], utc=True)
posts = pd.DataFrame({"post_id": ["first", "second"], "posted_at": times})
campaign = lift.Campaign(downloads=downloads, posts=posts)
analysis = lift.analyse(campaign, draws=NITER)
print(analysis.effects.table()[["unit", "mean", "lower", "upper"]].to_string(index=False))
