// Command local-provisioner-standin takes the place of the local static provisioner on the test cluster, where neither
// its image nor its Go module can be had. It is not that program. It reads the same settings and does what that one
// does with mount points, by the same calls to the API server, so that the chart's manifests are put to the test:
//
//	a directory of a class that is a mount point becomes a PersistentVolume local-pv-<hash of name, node and class>
//	any other entry is an error: GET /ready on port 8080 then answers 500
//	a volume that is Released is emptied and its object deleted where its reclaim policy is Delete
//
// It knows neither raw devices nor jobs. Facts: sigs.k8s.io/sig-storage-local-static-provisioner 2.9.0, pkg/discovery,
// pkg/deleter, pkg/common.
package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	address   = ":8080"
	folder    = "/etc/provisioner/config"
	period    = time.Second
	hostname  = "kubernetes.io/hostname"
	annotated = "pv.kubernetes.io/provisioned-by"
	mebibyte  = 1 << 20
	gibibyte  = 1 << 30
	fewest    = 10
)

type class struct {
	HostDir     string `yaml:"hostDir"`
	MountDir    string `yaml:"mountDir"`
	VolumeMode  string `yaml:"volumeMode"`
	FsType      string `yaml:"fsType"`
	NamePattern string `yaml:"namePattern"`
}

type settings struct {
	StorageClassMap map[string]class `yaml:"storageClassMap"`
	NodeLabelsForPV []string         `yaml:"nodeLabelsForPV"`
	UseNodeNameOnly bool             `yaml:"useNodeNameOnly"`
	SetPVOwnerRef   bool             `yaml:"setPVOwnerRef"`
}

type provisioner struct {
	settings
	api  *client
	name string
	node object
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if err := run(); err != nil {
		log.Fatalf("local-provisioner-standin: %v", err)
	}
}

func run() error {
	told, err := read(folder)
	if err != nil {
		return err
	}
	if !told.UseNodeNameOnly || told.SetPVOwnerRef {
		return errors.New("the stand-in names volumes after the node's name, and gives them no owner")
	}
	api, err := inCluster()
	if err != nil {
		return err
	}
	p := &provisioner{settings: told, api: api}
	if p.node, err = api.get("nodes", os.Getenv("MY_NODE_NAME")); err != nil {
		return err
	}
	p.name = "local-volume-provisioner-" + p.node.Metadata.Name
	log.Printf("%s, uid %d, gid %d, %d classes", p.name, os.Getuid(), os.Getgid(), len(told.StorageClassMap))
	return p.serve()
}

// read puts each file below its key and reads all of them as one document, as the real one does.
func read(folder string) (settings, error) {
	var told settings
	files, err := filepath.Glob(filepath.Join(folder, "[^.]*"))
	if err != nil {
		return told, err
	}
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return told, err
		}
		fmt.Fprintf(&text, "%s: \n", filepath.Base(file))
		for line := range strings.SplitSeq(string(content), "\n") {
			fmt.Fprintf(&text, "   %s\n", line)
		}
	}
	return told, yaml.Unmarshal([]byte(text.String()), &told)
}

func (p *provisioner) serve() error {
	var failed atomic.Bool
	failed.Store(true)
	go func() {
		for ; ; time.Sleep(period) {
			err := errors.Join(p.empty(), p.discover())
			failed.Store(err != nil)
			if err != nil {
				log.Print(err)
			}
		}
	}()
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if failed.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "local_provisioner_standin_ready %d\n", map[bool]int{false: 1}[failed.Load()])
	})
	return http.ListenAndServe(address, nil)
}

// discover makes a volume of each mount point that is none yet.
func (p *provisioner) discover() error {
	classes, err := p.api.list("storageclasses")
	if err != nil {
		return err
	}
	known, err := p.api.list("persistentvolumes")
	if err != nil {
		return err
	}
	var failed []error
	for name, where := range p.StorageClassMap {
		found := slices.IndexFunc(classes, func(o object) bool { return o.Metadata.Name == name })
		if found < 0 {
			failed = append(failed, fmt.Errorf("no StorageClass %s", name))
			continue
		}
		entries, err := os.ReadDir(where.MountDir)
		failed = append(failed, err)
		for _, entry := range entries {
			failed = append(failed, p.offer(entry.Name(), classes[found], where, known))
		}
	}
	return errors.Join(failed...)
}

func (p *provisioner) offer(entry string, of object, where class, known []object) error {
	if !matches(where.NamePattern, entry) {
		return nil
	}
	path := filepath.Join(where.MountDir, entry)
	// The real one opens each entry too, known or not, to see what it is.
	opened, err := os.Open(path)
	if err != nil {
		return err
	}
	defer opened.Close()
	name := volumeName(entry, p.node.Metadata.Name, of.Metadata.Name)
	if slices.ContainsFunc(known, func(o object) bool { return o.Metadata.Name == name }) {
		return nil
	}
	size, err := capacity(opened, where)
	if err != nil {
		return err
	}
	log.Printf("%s is %s, %d bytes", path, name, size)
	return p.api.create("persistentvolumes", p.volume(name, entry, of, where, pretty(size)))
}

// capacity measures a mount point or a device.
func capacity(entry *os.File, where class) (int64, error) {
	is, err := entry.Stat()
	if err != nil {
		return 0, err
	}
	if is.Mode()&os.ModeDevice != 0 {
		return entry.Seek(0, io.SeekEnd)
	}
	if where.VolumeMode == "Block" {
		return 0, fmt.Errorf("path %q of filesystem mode cannot be used to create block volume", entry.Name())
	}
	mounted, err := mountPoint(entry.Name())
	if err != nil || !mounted {
		return 0, errors.Join(fmt.Errorf("path %q is not a valid mount point", entry.Name()), err)
	}
	var disk syscall.Statfs_t
	err = syscall.Statfs(entry.Name(), &disk)
	return int64(disk.Blocks) * disk.Bsize, err
}

func (p *provisioner) volume(name, entry string, of object, where class, size string) any {
	labels := map[string]string{}
	for _, each := range p.NodeLabelsForPV {
		if value, ok := p.node.Metadata.Labels[each]; ok {
			labels[each] = value
		}
	}
	host := map[string]any{"key": hostname, "operator": "In", "values": []string{p.node.Metadata.Labels[hostname]}}
	term := map[string]any{"matchExpressions": []any{host}}
	local := map[string]string{"path": filepath.Join(where.HostDir, entry)}
	if where.FsType != "" {
		local["fsType"] = where.FsType
	}
	return map[string]any{
		"apiVersion": "v1",
		"kind":       "PersistentVolume",
		"metadata":   map[string]any{"name": name, "labels": labels, "annotations": map[string]string{annotated: p.name}},
		"spec": map[string]any{
			"accessModes":                   []string{"ReadWriteOnce"},
			"capacity":                      map[string]string{"storage": size},
			"local":                         local,
			"mountOptions":                  of.MountOptions,
			"nodeAffinity":                  map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{term}}},
			"persistentVolumeReclaimPolicy": of.ReclaimPolicy,
			"storageClassName":              of.Metadata.Name,
			"volumeMode":                    where.VolumeMode,
		},
	}
}

// empty wipes the volumes that nobody claims any more and whose policy is Delete.
func (p *provisioner) empty() error {
	known, err := p.api.list("persistentvolumes")
	if err != nil {
		return err
	}
	var failed []error
	for _, each := range known {
		where, ours := p.StorageClassMap[each.Spec.StorageClassName]
		ours = ours && each.Metadata.Annotations[annotated] == p.name
		if !ours || each.Status.Phase != "Released" || each.Spec.ReclaimPolicy != "Delete" {
			continue
		}
		path := filepath.Join(where.MountDir, filepath.Base(each.Spec.Local.Path))
		entries, err := os.ReadDir(path)
		failed = append(failed, err)
		for _, entry := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, entry.Name())))
		}
		if err == nil {
			log.Printf("%s is empty", path)
			err = p.api.remove("persistentvolumes", each.Metadata.Name)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func matches(patterns, name string) bool {
	return patterns == "" || slices.ContainsFunc(strings.Split(patterns, ","), func(pattern string) bool {
		matched, err := filepath.Match(pattern, name)
		return err == nil && matched
	})
}

func mountPoint(path string) (bool, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == path {
			return true, err
		}
	}
	return false, err
}

func volumeName(parts ...string) string {
	hash := fnv.New32a()
	for _, part := range parts {
		hash.Write([]byte(part))
	}
	return fmt.Sprintf("local-pv-%x", hash.Sum32())
}

// pretty rounds down to the largest unit of which there are ten, and writes it so.
func pretty(size int64) string {
	switch {
	case size/gibibyte >= fewest:
		return fmt.Sprintf("%dGi", size/gibibyte)
	case size/mebibyte >= fewest:
		return fmt.Sprintf("%dMi", size/mebibyte)
	default:
		return fmt.Sprint(size)
	}
}
