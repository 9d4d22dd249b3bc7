"""Pure functions of posterior draws: counterfactuals, effects, diagnostics."""
