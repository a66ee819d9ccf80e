"""Statistics of a model's columns that trainer and monitor both compute: bins, components, projections, correlation."""
