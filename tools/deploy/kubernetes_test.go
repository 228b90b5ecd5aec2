package deploy_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const manifests = "../../deploy/kubernetes"

// decode reads a manifest strictly: unknown and repeated names are errors.
func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// kinds says into what each manifest decodes. A manifest that is not listed fails the test.
var kinds = map[string]struct {
	version, kind string
	into          func() any
}{
	"deployment.yaml":          {"apps/v1", "Deployment", func() any { return &apps.Deployment{} }},
	"service.yaml":             {"v1", "Service", func() any { return &core.Service{} }},
	"poddisruptionbudget.yaml": {"policy/v1", "PodDisruptionBudget", func() any { return &policy.PodDisruptionBudget{} }},
	"networkpolicy.yaml":       {"networking.k8s.io/v1", "NetworkPolicy", func() any { return &networking.NetworkPolicy{} }},
}

func TestManifestsDecodeStrictly(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(manifests, "*.y*ml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(kinds) {
		t.Errorf("%d manifests, want the %d that are known", len(found), len(kinds))
	}
	for _, file := range found {
		name := filepath.Base(file)
		want, known := kinds[name]
		if !known {
			t.Errorf("%s: no type is known for it; add it to kinds", name)
			continue
		}
		decode(t, name, want.into())
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := yaml.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got.APIVersion != want.version || got.Kind != want.kind {
			t.Errorf("%s is %s %s, want %s %s", name, got.APIVersion, got.Kind, want.version, want.kind)
		}
	}
}

func container(t *testing.T) (apps.Deployment, core.PodSpec, core.Container) {
	t.Helper()
	var deployment apps.Deployment
	decode(t, "deployment.yaml", &deployment)
	spec := deployment.Spec.Template.Spec
	if len(spec.Containers) != 1 {
		t.Fatalf("%d containers, want 1", len(spec.Containers))
	}
	return deployment, spec, spec.Containers[0]
}

func TestDeploymentRunsThreeNodesThatDrain(t *testing.T) {
	deployment, spec, node := container(t)
	if deployment.Spec.Replicas == nil || *deployment.Spec.Replicas != 3 {
		t.Error("not three replicas")
	}
	if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace <= 30 {
		t.Error("the grace period is not longer than the drain of 30 s")
	}
	for _, arg := range []string{"node", "--name=$(POD_NAME)", "--advertise=$(POD_IP):8080", "--listen=0.0.0.0:8080", "--insecure"} {
		if !slices.Contains(node.Args, arg) {
			t.Errorf("args %q lack %s", node.Args, arg)
		}
	}
	for _, name := range []string{"POD_NAME", "POD_IP", "CARILLON_ETCD", "CARILLON_REDIS"} {
		if !slices.ContainsFunc(node.Env, func(e core.EnvVar) bool { return e.Name == name && e.ValueFrom != nil && e.Value == "" }) {
			t.Errorf("%s does not come from the pod or a secret", name)
		}
	}
}

func TestProbesAskWhatNodesServe(t *testing.T) {
	_, _, node := container(t)
	tests := []struct {
		name  string
		probe *core.Probe
		path  string
	}{
		{"liveness", node.LivenessProbe, "/healthz"},
		{"readiness", node.ReadinessProbe, "/readyz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.probe == nil || tt.probe.HTTPGet == nil {
				t.Fatal("no HTTP probe")
			}
			get := tt.probe.HTTPGet
			if get.Path != tt.path || get.Port.String() != node.Ports[0].Name {
				t.Errorf("asks %s on %s, want %s on %s", get.Path, get.Port.String(), tt.path, node.Ports[0].Name)
			}
		})
	}
}

func TestNodesHaveNoPrivileges(t *testing.T) {
	_, spec, node := container(t)
	pod, own := spec.SecurityContext, node.SecurityContext
	if pod == nil || own == nil {
		t.Fatal("no security context")
	}
	holds := func(b *bool, want bool) bool { return b != nil && *b == want }
	if !holds(pod.RunAsNonRoot, true) || pod.RunAsUser == nil || *pod.RunAsUser != 65532 {
		t.Error("may run as root, or as another user than that of the image")
	}
	if pod.SeccompProfile == nil || pod.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Error("no seccomp profile")
	}
	if !holds(own.ReadOnlyRootFilesystem, true) {
		t.Error("the root file system is writable")
	}
	if !holds(own.AllowPrivilegeEscalation, false) {
		t.Error("privileges may be gained")
	}
	if own.Capabilities == nil || !slices.Contains(own.Capabilities.Drop, "ALL") {
		t.Error("capabilities are kept")
	}
	if !holds(spec.AutomountServiceAccountToken, false) {
		t.Error("the pod gets a token for the cluster's API")
	}
}

func TestSelectorsMatchThePods(t *testing.T) {
	deployment, _, node := container(t)
	var service core.Service
	decode(t, "service.yaml", &service)
	var budget policy.PodDisruptionBudget
	decode(t, "poddisruptionbudget.yaml", &budget)
	var network networking.NetworkPolicy
	decode(t, "networkpolicy.yaml", &network)

	labels := deployment.Spec.Template.Labels
	selectors := map[string]map[string]string{
		"deployment": deployment.Spec.Selector.MatchLabels, "service": service.Spec.Selector,
		"budget": budget.Spec.Selector.MatchLabels, "network policy": network.Spec.PodSelector.MatchLabels,
	}
	for name, selector := range selectors {
		if len(selector) == 0 {
			t.Errorf("%s selects every pod", name)
		}
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("%s selects %s=%s, which the pods do not have", name, key, value)
			}
		}
	}
	if got := service.Spec.Ports[0].TargetPort.String(); got != node.Ports[0].Name {
		t.Errorf("the service leads to port %s, want %s", got, node.Ports[0].Name)
	}
	if budget.Spec.MaxUnavailable == nil || budget.Spec.MaxUnavailable.IntValue() != 1 {
		t.Error("the budget gives up more than one node at a time")
	}
}
