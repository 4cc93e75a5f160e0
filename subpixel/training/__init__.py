"""Training: a recipe in, a model out; one loop, which goes on bit by bit where it was ended."""
