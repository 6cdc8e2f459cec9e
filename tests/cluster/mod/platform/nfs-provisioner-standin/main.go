// Command nfs-provisioner-standin takes the place of nfs-subdir-external-provisioner on the test cluster, where its
// image and its Go module cannot be had. It is not that program. It asks the API for the same things, as both leave all
// of that to the controller of sig-storage-lib-external-provisioner (v6.0.0 there, v10 here), and it does to the export
// what that one does: a directory for each claim, by the class's parameter pathPattern, open to all; none is removed.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v10/controller"
)

const (
	mountPath  = "/persistentvolumes"
	folderMode = 0o777
)

type export struct{ server, path string }

func main() {
	if err := run(); err != nil {
		log.Fatalf("nfs-provisioner-standin: %v", err)
	}
}

func run() error {
	settings := map[string]string{"PROVISIONER_NAME": "", "NFS_SERVER": "", "NFS_PATH": "", "ENABLE_LEADER_ELECTION": ""}
	for name := range settings {
		if settings[name] = os.Getenv(name); settings[name] == "" {
			return fmt.Errorf("%s is not set", name)
		}
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	made := export{settings["NFS_SERVER"], settings["NFS_PATH"]}
	election := controller.LeaderElection(settings["ENABLE_LEADER_ELECTION"] != "false")
	controller.NewProvisionController(klog.Background(), client, settings["PROVISIONER_NAME"], made, election).Run(context.Background())
	return nil
}

// Provision makes the claim's directory and returns its volume.
func (e export) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	names := strings.NewReplacer("${.PVC.namespace}", claim.Namespace, "${.PVC.name}", claim.Name)
	folder := names.Replace(options.StorageClass.Parameters["pathPattern"])
	if folder == "" {
		return nil, controller.ProvisioningFinished, fmt.Errorf("class %s has no pathPattern", options.StorageClass.Name)
	}
	target := filepath.Join(mountPath, folder)
	if err := os.MkdirAll(target, folderMode); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(target, folderMode); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	source := v1.NFSVolumeSource{Server: e.server, Path: filepath.Join(e.path, folder)}
	volume := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.Spec.AccessModes,
			MountOptions:                  options.StorageClass.MountOptions,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource:        v1.PersistentVolumeSource{NFS: &source},
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

// Delete is never asked for: the class retains.
func (e export) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	return fmt.Errorf("volume %s is not to be deleted", volume.Name)
}
