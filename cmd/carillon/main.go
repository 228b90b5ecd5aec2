package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	hurry, force := context.WithCancel(context.Background())
	go func() { // ends with the process
		<-signals
		stop()
		<-signals
		force()
	}()
	code := run(withHurry(ctx, hurry), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	os.Exit(code)
}

type hurryKey struct{}

// withHurry gives ctx a second end, after its first: what drains then stops waiting.
func withHurry(ctx, hurry context.Context) context.Context {
	return context.WithValue(ctx, hurryKey{}, hurry.Done())
}

// hurried closes when whoever stops should not wait any longer; it may be nil, which is never.
func hurried(ctx context.Context) <-chan struct{} {
	done, _ := ctx.Value(hurryKey{}).(<-chan struct{})
	return done
}
