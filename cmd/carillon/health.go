package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) healthCommand() *cobra.Command {
	var address string
	var ready bool
	c := &cobra.Command{
		Use: "health [--address HOST:PORT]", Short: "Ask a node whether it lives", GroupID: groupCluster, Args: takes(),
		Long: "Exits with 0 if the node answers that it lives, or with --ready that it takes\n" +
			"work. For images without a shell or curl.",
		Example: "  carillon health --address 127.0.0.1:7070 --ready",
	}
	c.Flags().StringVar(&address, "address", "", "`HOST:PORT` of the node (default CARILLON_LISTEN)")
	c.Flags().BoolVar(&ready, "ready", false, "ask whether it takes work")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if address == "" {
			address = a.getenv(envPrefix + "LISTEN")
		}
		target, err := dialable(address)
		if err != nil {
			return err
		}
		path := "/healthz"
		if ready {
			path = "/readyz"
		}
		return a.health(cmd.Context(), target, path)
	}
	return c
}

// dialable is where a node that listens on address can be reached from its own host.
func dialable(address string) (string, error) {
	if address == "" {
		return "", usagef("no address is given; say --address HOST:PORT or set CARILLON_LISTEN")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" || port == "0" {
		return "", usagef("--address: %q is not HOST:PORT", address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// health asks one node and reports anything but a 200 as an error with the node's reasons.
func (a *app) health(ctx context.Context, address, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return usagef("--address: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("node at %s does not answer: %w", address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("node at %s: read the answer: %w", address, err)
	}
	var said struct {
		Status  string   `json:"status"`
		Node    string   `json:"node"`
		Reasons []string `json:"reasons"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Status == "" {
		return fmt.Errorf("what answers at %s is not a node: status %d", address, response.StatusCode)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("node %s at %s is %s: %s", said.Node, address, said.Status, strings.Join(said.Reasons, "; "))
	}
	return a.answer(json.RawMessage(body), func(w io.Writer) { fmt.Fprintf(w, "node %s: %s\n", said.Node, said.Status) })
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", GroupID: groupOther, Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{carillon.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.answer(v, func(w io.Writer) { fmt.Fprintf(w, "carillon %s %s %s\n", v.Version, v.Go, v.Platform) })
		},
	}
}
