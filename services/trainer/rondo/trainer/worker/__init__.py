"""The process that trains: `python -m rondo.trainer.worker`, started and watched by the trainer service."""
