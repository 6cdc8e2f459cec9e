"""The stack on a real cluster: installed by real Helm, hit by what happens to clusters, read back.

``install``    a release: the staged chart, the profiles with this cluster's nodes and disks, Helm
``stack``      what runs of it: pods, claims and volumes, by the names that the objects say
``samples``    the series that must not lose a sample, read raw and written by remote write
``silences``, ``rows``   what Alertmanager and Grafana must not lose
``receiver``   a store that remote write goes to
``thanos``     the release with an object store, and a Thanos Query and Store beside it
``matrix``     before, event, after, and the table of figures that the run ends with
``lanes``, ``turns``   which tests run at the same time, and which have the node for themselves
``claims``     what scenarios and matrix say about claims, volumes and claims of others
"""
