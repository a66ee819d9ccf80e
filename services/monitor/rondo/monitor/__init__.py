"""Compares live predictions and outcomes with a version's reference profile; publishes findings and alerts."""
