"""Looking inside of layers: what gates, states and gradients are at every step, and what can be read from them."""
