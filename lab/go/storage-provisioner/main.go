// Command storage-provisioner makes a folder of the node for each claim of Minikube's "standard" class.
// Minikube's own one, built from its module, ends at once: its controller library still locks by
// Endpoints, which client-go no longer knows. There is one of it per cluster, so this one needs no lock.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v10/controller"
)

const (
	// className is what Minikube's StorageClass asks for.
	className = "k8s.io/minikube-hostpath"
	// root is inside the folder that Minikube's pod mounts from the node.
	root = "/tmp/hostpath-provisioner"
)

type folders struct{}

// Provision makes the folder. Any user may write there: claims are used by pods of any numeric user,
// and a hostPath volume gets no fsGroup.
func (folders) Provision(
	_ context.Context, options controller.ProvisionOptions,
) (*core.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	folder := filepath.Join(root, claim.Namespace, claim.Name)
	if err := errors.Join(os.MkdirAll(folder, 0o777), os.Chmod(folder, 0o777)); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: options.PVName},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			Capacity: core.ResourceList{
				core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage],
			},
			PersistentVolumeSource: core.PersistentVolumeSource{
				HostPath: &core.HostPathVolumeSource{Path: folder},
			},
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

// Delete removes the folder, and refuses a volume whose path somebody has edited to lie elsewhere.
func (folders) Delete(_ context.Context, volume *core.PersistentVolume) error {
	folder := filepath.Clean(volume.Spec.HostPath.Path)
	if !strings.HasPrefix(folder, root+"/") {
		return fmt.Errorf("volume %s is not below %s: %s", volume.Name, root, folder)
	}
	return os.RemoveAll(folder)
}

func run(ctx context.Context) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	logger := klog.FromContext(ctx)
	controller.NewProvisionController(
		logger, client, className, folders{}, controller.LeaderElection(false),
	).Run(ctx)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		klog.Fatal(err)
	}
}
