package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) calendarCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the calendars of a store", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				all, err := c.Calendars(cmd.Context(), in...)
				if err != nil {
					return err
				}
				return a.answer(all, func(w io.Writer) { writeCalendars(w, all) })
			})
		},
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Remove a calendar to which no job refers", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				if err := c.RemoveCalendar(cmd.Context(), args[0], in...); err != nil {
					return err
				}
				return a.answer(map[string]string{"name": args[0], "status": "removed"}, func(w io.Writer) {
					fmt.Fprintf(w, "removed calendar %s\n", args[0])
				})
			})
		},
	}
	return group("calendar", "Keep the calendars that triggers leave out", groupJobs,
		a.calendarAddCommand(), list, a.calendarGetCommand(), remove)
}

func (a *app) calendarAddCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "add NAME -f FILE|-", Short: "Keep a calendar under a name", Args: takes("NAME"),
		Long: "Reads a calendar, {\"exclude\":[…],\"timezone\"} in JSON or YAML, and keeps it in\n" +
			"the store, in place of the one of that name. Triggers leave it out by\n" +
			"\"exclude\":[{\"calendar\":NAME}]. When it changes, the next times of jobs that\n" +
			"refer to it follow; what has passed stays.",
		Example: "  echo '{\"exclude\":[\"2026-12-25\"]}' | carillon calendar add holidays\n" +
			"  carillon calendar add holidays -f holidays.yaml --store reports",
	}
	c.Flags().StringVarP(&file, "file", "f", "-", "`FILE` with the calendar; - is standard input")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		doc, err := a.readDocument(file, "calendar")
		if err != nil {
			return err
		}
		if err := carillon.CheckCalendar(args[0], doc); err != nil {
			return usage(err)
		}
		if _, err := a.place(); err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			if err := c.SetCalendar(cmd.Context(), args[0], doc, in...); err != nil {
				return err
			}
			stored, err := c.GetCalendar(cmd.Context(), args[0], in...)
			if err != nil {
				return err
			}
			return a.answer(stored, func(w io.Writer) { fmt.Fprintf(w, "calendar %s is kept in store %s\n", stored.Name, stored.Store) })
		})
	}
	return c
}

// shownUsers is how many jobs that refer to a calendar are named.
const shownUsers = 100

// usedCalendar is a calendar with some of the jobs that refer to it.
type usedCalendar struct {
	carillon.Calendar
	Jobs []string `json:"jobs"`
}

func (a *app) calendarGetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "get NAME", Short: "Show a calendar and who refers to it", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				one, err := c.GetCalendar(cmd.Context(), args[0], in...)
				if err != nil {
					return err
				}
				users, err := c.CalendarUsers(cmd.Context(), args[0], shownUsers, in...)
				if err != nil {
					return err
				}
				return a.answer(usedCalendar{one, append([]string{}, users...)}, func(w io.Writer) {
					fmt.Fprintf(w, "%s\n", one.Document)
					for _, id := range users {
						fmt.Fprintf(w, "job %s refers to it\n", id)
					}
				})
			})
		},
	}
}

func writeCalendars(w io.Writer, all []carillon.Calendar) {
	if len(all) == 0 {
		fmt.Fprintln(w, "the store has no calendars")
		return
	}
	rows := make([][]string, len(all))
	for i, c := range all {
		rows[i] = []string{c.Name, c.Store, strconv.Itoa(len(c.Document)), string(c.Document)}
	}
	writeTable(w, []string{"CALENDAR", "STORE", "BYTES", "DOCUMENT"}, []int{24, 12, 6, columns}, rows)
}
