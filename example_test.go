package carillon_test

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/carillon-project/carillon"
)

// A node in a program of your own. Several of these programs are one scheduler.
func Example_embed() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	node, err := carillon.NewNode(carillon.Config{Etcd: []string{"http://localhost:2379"}, Redis: "redis://localhost:6379/0"})
	if err != nil {
		panic(err)
	}
	carillon.Handle(node, "greet", func(_ context.Context, who string) (string, error) { return "hello " + who, nil })
	client, err := node.Client(ctx)
	if err != nil {
		panic(err)
	}
	greeting := carillon.Job{ID: "greeting", Task: "greet", Args: carillon.Args("world"), Trigger: carillon.Every(15 * time.Second)}
	if _, err := client.AddJob(ctx, greeting, carillon.ReplaceExisting()); err != nil {
		panic(err)
	}
	if err := node.Run(ctx); err != nil {
		panic(err)
	}
}

// Defaults of the node apply to what its client adds; what a job says wins.
func ExampleClient_AddJob() {
	ctx := context.Background()
	node, err := carillon.NewNode(carillon.Config{
		Etcd: []string{"http://localhost:2379"}, Redis: "redis://localhost:6379/0",
		Defaults: carillon.Options{Coalesce: carillon.CoalesceAll, MaxInstances: 8, MisfireGraceTime: carillon.Grace(30 * time.Second)},
	})
	if err != nil {
		panic(err)
	}
	defer node.Close()
	carillon.Handle(node, "report", func(context.Context, string) (any, error) { return nil, nil })
	client, err := node.Client(ctx)
	if err != nil {
		panic(err)
	}
	nightly := carillon.Job{ID: "nightly", Task: "report", Trigger: carillon.Cron("30 2 * * *")}
	nightly.MaxInstances = 1
	_, err = client.AddJob(ctx, nightly)
	if errors.Is(err, carillon.ErrConflictingID) {
		fmt.Println("it is there already")
	}
}

// A run without a job: once per key, with retries.
func ExampleClient_Enqueue() {
	ctx := context.Background()
	client, err := carillon.NewClient(ctx, carillon.ClientConfig{Redis: "redis://localhost:6379/0"})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	run, err := client.Enqueue(ctx, "mail", map[string]string{"to": "a@example.org"},
		carillon.IdempotencyKey("order-17"), carillon.WithRetry(carillon.Retry{MaxAttempts: 5}))
	if err != nil {
		panic(err)
	}
	fmt.Println("run", run)
}

func ExampleEvery() {
	fmt.Println(string(carillon.Every(15 * time.Second)))
	fmt.Println(string(carillon.Cron("30 2 * * *")))
	// Output:
	// {"type":"interval","every":"15s"}
	// {"type":"cron","expr":"30 2 * * *"}
}
