package canonical

import "strings"

// ConsumerOf reports whether a durable of that name is one of a plugin's.
func ConsumerOf(consumer, plugin string) bool {
	base := consumerName(plugin, "")
	return consumer == base || strings.HasPrefix(consumer, base+nameMark)
}
