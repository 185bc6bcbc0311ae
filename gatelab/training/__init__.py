"""Training: settings become weights and a record of how they came about."""
