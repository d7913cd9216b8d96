"""Alerts: one file for each kind of channel."""
