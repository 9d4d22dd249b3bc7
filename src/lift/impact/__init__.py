"""One intervention in one series: R's CausalImpact model, sampled with the states integrated out."""
