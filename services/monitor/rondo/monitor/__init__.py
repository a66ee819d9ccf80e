"""Compares live predictions and outcomes with a version's reference profile. Publishes findings and alerts."""
