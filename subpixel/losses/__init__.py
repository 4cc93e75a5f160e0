"""What a training minimises: differences of pixels, of features, and a discriminator's logits."""
