"""A Kubernetes cluster of real parts on one Linux machine, for the tests that need one.

Nothing comes from a container registry: the programs are built from pinned Go modules (`mod/`),
containerd and runc are Debian's, the images are written here. The layers, each using only those
above it:

``errors``, ``poll``, ``commands``, ``signals``  what everything uses
``host``                             what the machine must have, and the Debian packages
``programs``                         Go modules -> programs, built once each
``images``, ``recipes``              programs -> OCI images
``namespaces``                       the kernel's namespaces that the cluster lives and dies in
``network``, ``cgroups``, ``mounts``  what a cluster touches outside them, made and removed
``layout``, ``state``                where a cluster's files are, and which processes it is
``control_plane``, ``node``, ``provisioner``     the command lines and settings of the parts
``machine``                          a whole cluster: up, restart of the node, down
``api``                              reads of the API server, many times a second
``cluster``                          what a test works with, on this machine or on $E2E_KUBECONFIG
``fixtures``                         the same as a pytest fixture
``lab``                              what kube-prometheus-stack needs to run here
``snapshot``                         what a cluster could leave behind, to prove that it does not

`python -m tests.cluster up|down|status|build` is for a person. Two images cannot be had, and
stand-ins run under their names: `mod/grafana-standin` does to the disk what Grafana does, and
`mod/platform/nfs-provisioner-standin` asks the API for what the NFS provisioner asks for.
"""
