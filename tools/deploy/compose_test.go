package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// compose loads docker-compose.yml as docker compose does: against the schema, which refuses unknown
// names, with env and nothing else of the environment.
func compose(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func nodes(project *types.Project) []types.ServiceConfig {
	var found []types.ServiceConfig
	for _, service := range project.Services {
		if len(service.Command) > 0 && service.Command[0] == "node" {
			found = append(found, service)
		}
	}
	return found
}

// flag returns the value after --name in a command, and whether the flag is there.
func flag(command []string, name string) (string, bool) {
	i := slices.Index(command, "--"+name)
	if i < 0 {
		return "", false
	}
	if i+1 == len(command) {
		return "", true
	}
	return command[i+1], true
}

func TestComposeStartsThreeNodes(t *testing.T) {
	project := compose(t)
	if got := len(nodes(project)); got != 3 {
		t.Errorf("%d nodes, want 3", got)
	}
	if got := len(project.Services); got != 5 {
		t.Errorf("%d services, want three nodes, etcd and redis", got)
	}
	for _, node := range nodes(project) {
		want := map[string]string{
			"name": node.Name, "etcd": "http://etcd:2379", "redis": "redis://redis:6379/0",
			"listen": "0.0.0.0:8080", "advertise": node.Name + ":8080",
		}
		for name, value := range want {
			if got, _ := flag(node.Command, name); got != value {
				t.Errorf("%s: --%s = %q, want %q", node.Name, name, got, value)
			}
		}
		if _, ok := flag(node.Command, "insecure"); !ok {
			t.Errorf("%s: no --insecure, without which 0.0.0.0 is refused", node.Name)
		}
		for _, needed := range []string{"etcd", "redis"} {
			if got := node.DependsOn[needed].Condition; got != types.ServiceConditionHealthy {
				t.Errorf("%s: waits for %s to be %q, want healthy", node.Name, needed, got)
			}
		}
		if diff := cmp.Diff(types.HealthCheckTest{"CMD", "/carillon", "health", "--ready"}, node.HealthCheck.Test); diff != "" {
			t.Errorf("%s: health check (-want +got):\n%s", node.Name, diff)
		}
		if !node.ReadOnly || !slices.Contains(node.CapDrop, "ALL") {
			t.Errorf("%s: the root is writable or capabilities are kept", node.Name)
		}
	}
}

func TestComposeKeepsDataSafe(t *testing.T) {
	redis := compose(t).Services["redis"]
	for name, want := range map[string]string{"appendonly": "yes", "maxmemory-policy": "noeviction"} {
		if got, _ := flag(redis.Command, name); got != want {
			t.Errorf("redis: --%s = %q, want %q", name, got, want)
		}
	}
	if len(redis.Volumes) == 0 {
		t.Error("redis has no volume")
	}
}

func TestComposeServicesHaveHealthChecks(t *testing.T) {
	for name, service := range compose(t).Services {
		if service.HealthCheck == nil || len(service.HealthCheck.Test) == 0 {
			t.Errorf("%s has no health check", name)
		}
	}
}

func TestComposePublishesOnLoopbackOnly(t *testing.T) {
	published := map[string]string{}
	for name, service := range compose(t).Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, want 127.0.0.1", name, port.Published, port.HostIP)
			}
			if other, taken := published[port.Published]; taken {
				t.Errorf("%s and %s publish the same port %s", name, other, port.Published)
			}
			published[port.Published] = name
		}
	}
	if len(published) != 3 {
		t.Errorf("%d ports are published, want one per node", len(published))
	}
}

func TestComposeImagesComeFromTheEnvironment(t *testing.T) {
	project := compose(t, "CARILLON_IMAGE=own/carillon:1", "ETCD_IMAGE=own/etcd:1", "REDIS_IMAGE=own/redis:1", "GO_IMAGE=own/go:1")
	for name, service := range project.Services {
		if !strings.HasPrefix(service.Image, "own/") {
			t.Errorf("%s: image = %s, not the one of the environment", name, service.Image)
		}
		if service.Build == nil {
			continue
		}
		if got := service.Build.Args["GO_IMAGE"]; got == nil || *got != "own/go:1" {
			t.Errorf("%s: GO_IMAGE of the build is not the one of the environment", name)
		}
	}
	for name, service := range compose(t).Services {
		if _, tag, ok := strings.Cut(service.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s: image = %s, want a version by default", name, service.Image)
		}
	}
}
