"""What code written for other libraries expects: OpenCV's dnn_superres and the .pb files it reads."""
