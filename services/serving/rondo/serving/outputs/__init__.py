"""What a version answers: outputs by their kinds, whatever the task of the model."""
