"""How good an image is: pure functions, under an explicit protocol."""
