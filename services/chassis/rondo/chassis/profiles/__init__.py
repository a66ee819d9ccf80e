"""What trainer and monitor compute alike of a model's columns: bins, components, projections, autocorrelation."""
