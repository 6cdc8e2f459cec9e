package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"time"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount"
	timeout = 10 * time.Second
)

var groups = map[string]string{
	"nodes":             "/api/v1",
	"persistentvolumes": "/api/v1",
	"storageclasses":    "/apis/storage.k8s.io/v1",
}

// object has what is read of nodes, volumes and classes.
type object struct {
	Metadata struct {
		Name        string
		Labels      map[string]string
		Annotations map[string]string
	}
	ReclaimPolicy string
	MountOptions  []string
	Spec          struct {
		StorageClassName string
		ReclaimPolicy    string `json:"persistentVolumeReclaimPolicy"`
		Local            struct{ Path string }
	}
	Status struct{ Phase string }
}

// client asks the API server as the pod's account.
type client struct {
	http *http.Client
	base string
}

func inCluster() (*client, error) {
	authority, err := os.ReadFile(path.Join(account, "ca.crt"))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s/ca.crt holds no certificate", account)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &client{&http.Client{Transport: transport, Timeout: timeout}, "https://" + host}, nil
}

func (c *client) get(kind, name string) (object, error) {
	var found object
	err := c.ask(http.MethodGet, kind, name, nil, &found)
	return found, err
}

func (c *client) list(kind string) ([]object, error) {
	var found struct{ Items []object }
	err := c.ask(http.MethodGet, kind, "", nil, &found)
	return found.Items, err
}

func (c *client) create(kind string, what any) error {
	return c.ask(http.MethodPost, kind, "", what, nil)
}

func (c *client) remove(kind, name string) error {
	return c.ask(http.MethodDelete, kind, name, nil, nil)
}

func (c *client) ask(method, kind, name string, what, answer any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, c.base+path.Join(groups[kind], kind, name), bytes.NewReader(body))
	if err != nil {
		return err
	}
	token, err := os.ReadFile(path.Join(account, "token"))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s %s: %s %s", method, kind, name, response.Status, said)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(said, answer)
}
