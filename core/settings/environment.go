package settings

import (
	"maps"
	"slices"
	"strings"
)

// masterKeyNames are read by the core and are no settings.
var masterKeyNames = []string{"VIVIFIED_MASTER_KEY", "VIVIFIED_MASTER_KEY_FILE", "VIVIFIED_MASTER_KEY_COMMAND"}

// others are variables of plugins, of what starts them and of the command line; a
// core that shares their environment leaves them alone.
var others = []string{
	"VIVIFIED_SERVER", "VIVIFIED_TOKEN",
	"VIVIFIED_PLUGIN_LISTEN", "VIVIFIED_PLUGIN_STATE", "VIVIFIED_CORE_URL", "VIVIFIED_CORE_SOCKET", "VIVIFIED_PLUGIN_SOCKET", "VIVIFIED_REGISTRATION_TOKEN",
}

const othersPrefix = "VIVIFIED_HELLO_"

// environmentLayer reads the environment. An empty variable counts as not set:
// that is how compose files leave one out.
func (p *problems) environmentLayer(env map[string]string, into *layers) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		k, ok := keyByEnv(name)
		if !ok {
			if isOurs(name) {
				p.add("settings.unknown", "/"+clip(name), "The environment has an unknown variable %s.%s", clip(name), didYouMean(name, envNames()))
			}
			continue
		}
		if env[name] == "" {
			continue
		}
		d := definitions[k]
		v, must := d.parseText(env[name])
		if must != "" {
			p.add("settings.value", "/"+name, "%s %s.", name, must)
			continue
		}
		into[k][Environment] = &setting{value: v, origin: Origin{Layer: Environment, SetBy: name}}
	}
}

// isOurs reports whether a variable nobody declared looks as if it was meant for the core.
func isOurs(name string) bool {
	return strings.HasPrefix(name, "VIVIFIED_") && !strings.HasPrefix(name, othersPrefix) &&
		!slices.Contains(masterKeyNames, name) && !slices.Contains(others, name)
}

func envNames() []string {
	names := slices.Clone(masterKeyNames)
	for _, d := range definitions {
		names = append(names, d.Env)
	}
	return names
}

func upper(name string) string { return strings.ToUpper(name) }
