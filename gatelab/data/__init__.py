"""Real data: where it lies or comes from, and how its files become texts, numbers and splits."""
