"""Starts the monitor: `python -m rondo.monitor`."""

from rondo.chassis.service import main
from rondo.monitor.app import application
from rondo.monitor.settings import MonitorSettings

if __name__ == "__main__":
    main(MonitorSettings, application)
