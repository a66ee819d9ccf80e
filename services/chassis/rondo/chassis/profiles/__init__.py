"""What trainer and monitor compute alike of a model's columns: bins of rows, components of bins, autocorrelation."""
