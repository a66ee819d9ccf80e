"""`python -m rondo.ingestion`: the ingestion service."""

from __future__ import annotations

from rondo.chassis.service import main
from rondo.ingestion.app import application
from rondo.ingestion.settings import IngestionSettings

if __name__ == "__main__":
    main(IngestionSettings, application)
