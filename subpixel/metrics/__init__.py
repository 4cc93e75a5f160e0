"""How good a picture is: pure functions, under an explicit protocol."""
