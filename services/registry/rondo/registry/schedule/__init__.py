"""Trainings by cron."""
