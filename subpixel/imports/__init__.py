"""Models in from other programs: OpenCV's .pb, EDSR-PyTorch's checkpoints, the community's weights."""
