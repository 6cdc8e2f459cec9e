"""Makes the data of a rendered kube-prometheus-stack last, and refuses what would lose it."""

__version__ = "0.1.0"
