"""Requests trainings by cron."""
