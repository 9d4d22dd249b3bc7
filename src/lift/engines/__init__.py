"""Engines that turn a campaign and a specification into posterior draws."""
