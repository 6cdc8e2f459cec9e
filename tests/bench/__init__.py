"""The same edits by the post-renderer, kustomize and yq, measured in one run."""
