"""The parameters that a spec may set in `trainer.params` and in the steps of scikit-learn."""
