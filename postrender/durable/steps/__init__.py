"""The transforms, one a file; durable.pipeline.STEPS has their order."""
