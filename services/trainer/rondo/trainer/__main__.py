"""`python -m rondo.trainer`: the trainer service."""

from rondo.chassis.service import main
from rondo.trainer.app import application
from rondo.trainer.settings import Settings

if __name__ == "__main__":
    main(Settings, application)
