// Command grafana-standin takes the place of Grafana on the test cluster, where Grafana's own image cannot be had.
// It is not Grafana. It does to the disk what Grafana does: it keeps a SQLite database grafana.db (rollback journal)
// and a folder plugins in its data directory, refuses to start when it cannot write there, and answers on port 3000
// as Grafana's HTTP API does, to whoever asks:
//
//	GET  /api/health         200 once the database answers
//	GET  /api/annotations    every annotation, the newest first, one {"id": ..., "text": ...} each; all at once
//	POST /api/annotations    {"text": ...} becomes a row; the answer has its id
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite"
)

const (
	address      = ":3000"
	textLimit    = 1 << 20
	folderMode   = 0o750
	shutdownTime = 5 * time.Second
)

type annotation struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

type store struct{ database *sql.DB }

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if err := run(); err != nil {
		log.Fatalf("grafana-standin: %v", err)
	}
}

func run() error {
	data := setting("GF_PATHS_DATA", "/var/lib/grafana")
	plugins := setting("GF_PATHS_PLUGINS", filepath.Join(data, "plugins"))
	rows, err := open(data, plugins)
	if err != nil {
		return err
	}
	defer rows.database.Close()
	log.Printf("data directory %s, plugins %s, uid %d, gid %d, serving %s", data, plugins, os.Getuid(), os.Getgid(), address)
	return serve(rows)
}

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func open(data, plugins string) (*store, error) {
	if err := os.MkdirAll(plugins, folderMode); err != nil {
		return nil, fmt.Errorf("GF_PATHS_DATA=%s is not writable by uid %d, gid %d: %w", data, os.Getuid(), os.Getgid(), err)
	}
	path := filepath.Join(data, "grafana.db")
	database, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// One connection: SQLite has one writer, and a second would only meet its lock.
	database.SetMaxOpenConns(1)
	const schema = `CREATE TABLE IF NOT EXISTS annotation (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL)`
	if _, err := database.Exec(schema); err != nil {
		return nil, fmt.Errorf("%s is not writable by uid %d, gid %d: %w", path, os.Getuid(), os.Getgid(), err)
	}
	return &store{database}, nil
}

func serve(rows *store) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", rows.health)
	mux.HandleFunc("GET /api/annotations", rows.list)
	mux.HandleFunc("POST /api/annotations", rows.add)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: shutdownTime}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	grace, release := context.WithTimeout(context.Background(), shutdownTime)
	defer release()
	return server.Shutdown(grace)
}

func (s *store) health(w http.ResponseWriter, r *http.Request) {
	var count int64
	if err := s.database.QueryRowContext(r.Context(), `SELECT count(*) FROM annotation`).Scan(&count); err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"database": "ok", "annotations": count})
}

func (s *store) list(w http.ResponseWriter, r *http.Request) {
	found, err := s.database.QueryContext(r.Context(), `SELECT id, text FROM annotation ORDER BY id DESC`)
	if err != nil {
		fail(w, err)
		return
	}
	defer found.Close()
	rows := []annotation{}
	for found.Next() {
		var next annotation
		if err := found.Scan(&next.ID, &next.Text); err != nil {
			fail(w, err)
			return
		}
		rows = append(rows, next)
	}
	if err := found.Err(); err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, rows)
}

func (s *store) add(w http.ResponseWriter, r *http.Request) {
	var wanted annotation
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, textLimit)).Decode(&wanted); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	added, err := s.database.ExecContext(r.Context(), `INSERT INTO annotation (text) VALUES (?)`, wanted.Text)
	if err != nil {
		fail(w, err)
		return
	}
	id, err := added.LastInsertId()
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": id, "message": "Annotation added"})
}

func fail(w http.ResponseWriter, err error) {
	log.Printf("database: %v", err)
	answer(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("answer: %v", err)
	}
}
