"""The model's side of the live view: from what a person writes to what happens inside of a trained model."""
