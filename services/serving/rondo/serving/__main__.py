"""Starts the serving service."""

from rondo.chassis.service import main
from rondo.serving.app import application
from rondo.serving.settings import Settings

main(Settings, application)
