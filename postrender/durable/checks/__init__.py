"""The rules, one topic a file; durable.pipeline.CHECKS names the topics."""
