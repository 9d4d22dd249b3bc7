"""Replication: re-run a result, say what differs and why, freeze a plan, pack a run for others."""
