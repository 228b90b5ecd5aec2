package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/carillon-project/carillon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("webapp", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address of the web service")
	etcd := flags.String("etcd", "http://127.0.0.1:2379", "etcd endpoints, separated by commas")
	redis := flags.String("redis", "redis://127.0.0.1:6379/0", "Redis URL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	node, err := carillon.NewNode(carillon.Config{Cluster: "webapp", Etcd: strings.Split(*etcd, ","), Redis: *redis})
	if err != nil {
		return err
	}
	defer node.Close()
	carillon.Handle(node, "report", report)
	client, err := node.Client(ctx)
	if err != nil {
		return err
	}
	nightly := carillon.Job{ID: "nightly-report", Task: "report", Args: carillon.Args("nightly"), Trigger: carillon.Cron("30 2 * * *")}
	if _, err := client.AddJob(ctx, nightly, carillon.ReplaceExisting()); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	return serve(ctx, node, listener, &http.Server{Handler: routes(client), ReadHeaderTimeout: 5 * time.Second})
}

// serve runs the node and the web service until either ends, and ends the other.
func serve(ctx context.Context, node *carillon.Node, listener net.Listener, server *http.Server) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	web := make(chan error, 1)
	go func() {
		defer stop()
		web <- server.Serve(listener)
	}()
	err := node.Run(ctx)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = errors.Join(err, server.Shutdown(closing))
	if served := <-web; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func report(ctx context.Context, which string) (string, error) {
	run, _ := carillon.RunFrom(ctx)
	fmt.Printf("report %s for %s on %s\n", which, run.ScheduledTime.Format(time.RFC3339), run.Node)
	return "done", nil
}

// routes let a visitor ask for a report now, and see the last ones. A repeated click within the
// same minute is one run: the idempotency key sees to it.
func routes(client *carillon.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reports", func(w http.ResponseWriter, r *http.Request) {
		key := time.Now().UTC().Format("2006-01-02T15:04")
		id, err := client.Enqueue(r.Context(), "report", "on demand", carillon.IdempotencyKey(key))
		reply(w, map[string]string{"run_id": id}, err)
	})
	mux.HandleFunc("GET /reports", func(w http.ResponseWriter, r *http.Request) {
		rows, err := client.History(r.Context(), "@report", 20)
		reply(w, rows, err)
	})
	return mux
}

func reply(w http.ResponseWriter, body any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the visitor has gone; there is nobody to tell
}
