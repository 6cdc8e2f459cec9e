"""What can go wrong, one class for each thing that a caller may want to tell apart."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster, or a part of it, did not do what was asked."""


class MissingRequirementError(ClusterError):
    """This machine lacks something that the cluster needs."""


class CannotBeDoneHereError(ClusterError):
    """The cluster is not ours (E2E_KUBECONFIG), and this needs one that is."""


class TimedOutError(ClusterError):
    """A condition was not met before its deadline."""
