package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon/store"
)

func (a *app) storeCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Look through the stores for what should not be there", Args: takes(),
		Long: "Checks that the stores can be reached and are fit, and looks through all that\n" +
			"they hold: jobs that never fire, runs that nobody can recover, counters that\n" +
			"differ from what runs, stream entries that never come again, keys that never\n" +
			"end. Each finding comes with what mends it. It writes nothing and may be used\n" +
			"while the cluster works: what moves is looked at again. Exits with 1 if there\n" +
			"is a finding.",
		Example: "  carillon store check -o json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.checkStores(cmd.Context()) },
	}
}

// storeReport is what the check of one store found.
type storeReport struct {
	storeFacts
	Jobs     int64     `json:"jobs"`
	Findings []finding `json:"findings"`
}

type finding struct {
	Fault     store.Fault `json:"fault"`
	Partition int         `json:"partition"`
	Key       string      `json:"key"`
	Subject   string      `json:"subject"`
	Detail    string      `json:"detail"`
	Remedy    string      `json:"remedy"`
}

func (a *app) checkStores(ctx context.Context) error {
	stores, err := a.openStores(ctx)
	if err != nil {
		return err
	}
	defer closeAll(stores)
	reports, found := []storeReport{}, 0
	for _, s := range stores {
		r := storeReport{storeFacts: storeFacts{Store: s.Name(), UID: s.UID(), Partitions: s.Partitions()}, Findings: []finding{}}
		if r.Jobs, err = s.CountJobs(ctx); err != nil {
			return err
		}
		if err := s.Check(ctx, func(f store.Finding) { r.Findings = append(r.Findings, finding(f)) }); err != nil {
			return err
		}
		found += len(r.Findings)
		reports = append(reports, r)
	}
	err = a.answer(reports, func(w io.Writer) {
		for _, r := range reports {
			writeReport(w, r)
		}
	})
	if err == nil && found > 0 {
		err = fmt.Errorf("store check: findings: %d; each says what mends it", found)
	}
	return err
}

func writeReport(w io.Writer, r storeReport) {
	fmt.Fprintf(w, "store %s is fit: jobs %d, partitions %d, findings %d\n  uid %s\n", r.Store, r.Jobs, r.Partitions, len(r.Findings), r.UID)
	for _, f := range r.Findings {
		fmt.Fprintf(w, "\n%s: %s (partition %d)\n  %s\n  mend: %s\n", f.Fault, f.Subject, f.Partition, f.Detail, f.Remedy)
	}
}
