"""`python -m rondo.registry`: the registry service."""

from rondo.chassis import service
from rondo.registry.app import application
from rondo.registry.settings import Settings

if __name__ == "__main__":
    service.main(Settings, application)
