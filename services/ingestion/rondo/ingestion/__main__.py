"""Starts ingestion: `python -m rondo.ingestion`."""

from __future__ import annotations

from rondo.chassis.service import main
from rondo.ingestion.app import application
from rondo.ingestion.settings import IngestionSettings

if __name__ == "__main__":
    main(IngestionSettings, application)
