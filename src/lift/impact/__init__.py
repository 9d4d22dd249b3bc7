"""One intervention in one series: R's CausalImpact model, states integrated out."""
