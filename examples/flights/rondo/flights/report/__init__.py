"""The report: counts, AUC by month, trainings."""
