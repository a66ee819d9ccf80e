"""The findings and open alerts that follow from the evidence. `notifications` decides about messages."""
