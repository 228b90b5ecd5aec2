package carillon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// ClientConfig says which stores a client talks to. Redis, or one of Stores, is required.
type ClientConfig struct {
	Redis     string            // URL of the store "default"
	Stores    map[string]string // further stores: name to URL
	RedisTLS  *tls.Config       // for rediss:// URLs; nil = the system's roots
	Namespace string            // prefix of all keys; default "default"
	Defaults  Options           // for jobs that leave an option unsaid
	// WaitReplicas is how many replicas of Redis must have a change of jobs, runs or pauses before
	// the call returns; default 0. When fewer have it within a second the call has been carried out
	// all the same, with its answer beside an error that wraps ErrNotReplicated.
	WaitReplicas int
	Logger       hclog.Logger // default: silent
}

// Client adds and manages jobs, enqueues runs and reads what happened. It needs Redis only and is
// safe for concurrent use.
type Client struct {
	stores   map[string]*store.Store
	defaults Options
	ids      runIDs   // of ad-hoc runs
	forms    sync.Map // *store.Form by formOf
}

// NewClient connects to the stores, which a node must have created. Errors: ErrUnreachable,
// ErrNotInitialised, and those of a Redis that is not fit.
func NewClient(ctx context.Context, cfg ClientConfig) (*Client, error) {
	urls := storeURLs(cfg.Redis, cfg.Stores)
	if len(urls) == 0 {
		return nil, errors.New("carillon: client: no store is given; set Redis to a URL such as redis://localhost:6379/0")
	}
	c := &Client{stores: map[string]*store.Store{}, defaults: cfg.Defaults}
	for name, url := range urls {
		s, err := store.Open(ctx, store.Config{
			Name: name, URL: url, Namespace: cfg.Namespace, TLS: cfg.RedisTLS, WaitReplicas: cfg.WaitReplicas, Logger: cfg.Logger,
			HistoryLimit: math.MaxInt32, EventLimit: math.MaxInt32, // what the past is cut to the nodes say
		})
		if err != nil {
			c.Close()
			return nil, err
		}
		c.stores[name] = s
	}
	return c, nil
}

func storeURLs(redis string, more map[string]string) map[string]string {
	urls := map[string]string{}
	for name, url := range more {
		urls[name] = url
	}
	if redis != "" {
		urls[job.DefaultName] = redis
	}
	return urls
}

// Close ends the connections of a client that NewClient made. The client of a node is closed by
// the node.
func (c *Client) Close() {
	for _, s := range c.stores {
		s.Close()
	}
}

// CallOption adjusts one call of a client.
type CallOption func(*call)

type call struct {
	store     string
	executor  string
	replace   bool
	cancel    bool
	key       string
	reason    string
	retry     job.Retry
	retrySaid bool
	timeout   job.Duration
	keyLife   time.Duration
	at        time.Time
	after     time.Duration
	ofJob     string
	hearing   func()
}

// InStore names the store of the job; the default is "default".
func InStore(name string) CallOption { return func(c *call) { c.store = name } }

// OnExecutor names the executor of an ad-hoc run; the default is "default".
func OnExecutor(name string) CallOption { return func(c *call) { c.executor = name } }

// ReplaceExisting lets AddJob update a job whose id is taken. The job keeps its identity, pause,
// phase and pending backlog unless its trigger as given changed.
func ReplaceExisting() CallOption { return func(c *call) { c.replace = true } }

// CancelRunning lets RemoveJob also cancel the runs that have started.
func CancelRunning() CallOption { return func(c *call) { c.cancel = true } }

// IdempotencyKey makes an Enqueue with the same key and task within 24 hours return the run of
// the first.
func IdempotencyKey(key string) CallOption { return IdempotencyKeyFor(key, idempotencyLife) }

// Because gives the reason of a pause, for those who ask later.
func Because(reason string) CallOption { return func(c *call) { c.reason = reason } }

// WithRetry sets the retries of an ad-hoc run.
func WithRetry(r Retry) CallOption {
	return func(c *call) { c.retry, c.retrySaid = r, true }
}

// WithTimeout sets the timeout of an ad-hoc run.
func WithTimeout(d Duration) CallOption { return func(c *call) { c.timeout = d } }

func callOf(opts []CallOption) call {
	c := call{executor: job.DefaultName}
	for _, o := range opts {
		o(&c)
	}
	return c
}

func (c *Client) store(name string) (*store.Store, error) {
	if name == "" {
		name = job.DefaultName
	}
	if s, ok := c.stores[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w: %q; known are %s; give its URL under that name, or correct the name",
		ErrUnknownStore, name, strings.Join(c.Stores(), ", "))
}

// Stores are the names of the client's stores, sorted.
func (c *Client) Stores() []string {
	names := make([]string, 0, len(c.stores))
	for name := range c.stores {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Partitions is how many partitions a store has; it was chosen when the store was created.
func (c *Client) Partitions(opts ...CallOption) (int, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return 0, err
	}
	return s.Partitions(), nil
}

// GetJob returns a job with its next run time. ErrJobNotFound when the id is not there.
func (c *Client) GetJob(ctx context.Context, id string, opts ...CallOption) (Job, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Job{}, err
	}
	e, err := s.Get(ctx, id)
	if err != nil {
		return Job{}, err
	}
	return e.Document(), nil
}

// Jobs returns every job of a store, by next run time, paused ones last.
func (c *Client) Jobs(ctx context.Context, opts ...CallOption) ([]Job, error) {
	return listed(ctx, c, opts, store.Entry.Document)
}

// listed returns what of makes of every job of a store, by next run time, paused ones last.
func listed[T any](ctx context.Context, c *Client, opts []CallOption, of func(store.Entry) T) ([]T, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	entries, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(entries))
	for i, e := range entries {
		all[i] = of(e)
	}
	return all, nil
}

// RemoveJob deletes a job and cancels its runs that have not started; with CancelRunning also
// those that have. ErrJobNotFound when the id is not there.
func (c *Client) RemoveJob(ctx context.Context, id string, opts ...CallOption) error {
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return err
	}
	uid, err := s.Remove(ctx, uuid.NewString(), id)
	if err != nil || !o.cancel {
		return err
	}
	_, err = s.CancelJob(ctx, id, uid)
	return err
}

// RemoveAllJobs deletes every job of a store, one by one, and returns how many.
func (c *Client) RemoveAllJobs(ctx context.Context, opts ...CallOption) (int, error) {
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return 0, err
	}
	entries, err := s.List(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		err := c.RemoveJob(ctx, e.Job.ID, opts...)
		if errors.Is(err, ErrJobNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, s.Note(ctx, 0, Event{Kind: job.AllJobsRemoved, Cause: fmt.Sprintf("%d jobs", n)})
}

// History returns up to limit rows of a job, newest first. It outlives the job by some days;
// ad-hoc runs of a task stand under "@task".
func (c *Client) History(ctx context.Context, id string, limit int, opts ...CallOption) ([]Row, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	return s.History(ctx, id, limit)
}

// Pause stops the schedule times of every store of the client; what is dispatched, retries and
// ad-hoc runs go on. It returns when every partition has it.
func (c *Client) Pause(ctx context.Context, opts ...CallOption) error {
	return c.pause(ctx, true, callOf(opts).reason)
}

// Resume lets schedule times go on. What came due meanwhile is decided by coalesce and misfire.
func (c *Client) Resume(ctx context.Context) error { return c.pause(ctx, false, "") }

func (c *Client) pause(ctx context.Context, on bool, reason string) error {
	for _, name := range c.Stores() {
		if err := c.stores[name].Pause(ctx, on, reason); err != nil {
			return err
		}
	}
	return nil
}

// IsPaused reports whether schedule times of any store are paused.
func (c *Client) IsPaused(ctx context.Context) (bool, error) {
	for _, name := range c.Stores() {
		on, err := c.stores[name].IsPaused(ctx)
		if err != nil || on {
			return on, err
		}
	}
	return false, nil
}
