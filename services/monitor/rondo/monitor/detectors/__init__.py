"""What is measured on a closed window: drift, performance, data quality."""
