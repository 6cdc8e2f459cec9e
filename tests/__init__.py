"""Tests, and the tools that set them up."""
