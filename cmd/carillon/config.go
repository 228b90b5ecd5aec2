package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	// envPrefix begins the name of every variable that stands for a flag.
	envPrefix = "CARILLON_"
	// pathDelimiter parts the levels of a key. No key may hold it: names of executors have dots.
	pathDelimiter = "\x00"
	// configurableMark annotates flags that the environment and the file may set.
	configurableMark = "carillon_configurable"
)

// configurable marks all flags of the set so far as settings: what is said once for a place, not
// with each call.
func configurable(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[configurableMark] = []string{"true"}
	})
}

func isConfigurable(f *pflag.Flag) bool { return f.Annotations[configurableMark] != nil }

// keyOf is a flag's name in the file: lease_ttl for --lease-ttl.
func keyOf(f *pflag.Flag) string { return strings.ReplaceAll(f.Name, "-", "_") }

// envOf is a flag's name in the environment: CARILLON_LEASE_TTL for --lease-ttl.
func envOf(f *pflag.Flag) string { return envPrefix + strings.ToUpper(keyOf(f)) }

// configure gives the flags of cmd that the command line leaves unsaid the values of the
// environment, else those of the file.
func (a *app) configure(cmd *cobra.Command) error {
	layers := koanf.New(pathDelimiter)
	if a.config == "" {
		a.config = a.getenv(envPrefix + "CONFIG")
	}
	if a.config != "" {
		values, err := readSettings(a.config, cmd.Root())
		if err != nil {
			return usagef("--config %s: %w", a.config, err)
		}
		if err := layers.Load(confmap.Provider(values, pathDelimiter), nil); err != nil {
			return usagef("--config %s: %w", a.config, err)
		}
	}
	environment := map[string]any{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if v := a.getenv(envOf(f)); v != "" && isConfigurable(f) {
			environment[keyOf(f)] = v
		}
	})
	if err := layers.Load(confmap.Provider(environment, pathDelimiter), nil); err != nil {
		return usagef("environment: %w", err)
	}
	var fault error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if fault != nil || f.Changed || !isConfigurable(f) || !layers.Exists(keyOf(f)) {
			return
		}
		if err := set(f, layers.Get(keyOf(f))); err != nil {
			where := fmt.Sprintf("--config %s: %s", a.config, keyOf(f))
			if environment[keyOf(f)] != nil {
				where = envOf(f)
			}
			fault = usagef("%s: %w", where, err)
		}
	})
	return fault
}

// readSettings reads the file and refuses keys that no command has.
func readSettings(path string, root *cobra.Command) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	collectKeys(root, known)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !known[key] {
			return nil, fmt.Errorf("unknown key %q; known are %s", key, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return values, nil
}

func collectKeys(cmd *cobra.Command, known map[string]bool) {
	see := func(f *pflag.Flag) {
		if isConfigurable(f) {
			known[keyOf(f)] = true
		}
	}
	cmd.PersistentFlags().VisitAll(see)
	cmd.LocalNonPersistentFlags().VisitAll(see)
	for _, c := range cmd.Commands() {
		collectKeys(c, known)
	}
}

// set gives a flag a value of the file or the environment. Lists may be written as lists, as maps
// of name to value, or as text with commas.
func set(f *pflag.Flag, value any) error {
	list, isList := f.Value.(pflag.SliceValue)
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		if !isList {
			return fmt.Errorf("takes one value, not a list")
		}
		texts := make([]string, len(v))
		for i, one := range v {
			texts[i] = fmt.Sprint(one)
		}
		return list.Replace(texts)
	case map[string]any:
		if !isList {
			return fmt.Errorf("takes one value, not a map")
		}
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			texts = append(texts, fmt.Sprintf("%s=%v", name, v[name]))
		}
		return list.Replace(texts)
	}
	text := fmt.Sprint(value)
	if !isList {
		return f.Value.Set(text)
	}
	var texts []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			texts = append(texts, one)
		}
	}
	return list.Replace(texts)
}
