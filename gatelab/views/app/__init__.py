"""The live view as a page in a browser, by dash: what a model does with an input, drawn anew whenever that changes."""
