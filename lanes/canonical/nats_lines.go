package canonical

import "sync"

// lines run what plugins say, in order for each plugin and subject, and so much of
// one plugin at a time.
type lines struct {
	most int
	mu   sync.Mutex
	by   map[string]*talk
}

// talk is what one plugin has under way.
type talk struct {
	waiting int
	keys    map[string][]func()
}

// add reports false when too much of the plugin waits.
func (ls *lines) add(plugin, key string, f func()) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	t, ok := ls.by[plugin]
	if !ok {
		t = &talk{keys: map[string][]func(){}}
		ls.by[plugin] = t
	}
	if t.waiting >= ls.most {
		return false
	}
	t.waiting++
	queue, running := t.keys[key]
	t.keys[key] = append(queue, f)
	if !running {
		go ls.run(plugin, key)
	}
	return true
}

func (ls *lines) run(plugin, key string) {
	for {
		ls.mu.Lock()
		t := ls.by[plugin]
		queue := t.keys[key]
		if len(queue) == 0 {
			if delete(t.keys, key); len(t.keys) == 0 {
				delete(ls.by, plugin)
			}
			ls.mu.Unlock()
			return
		}
		f := queue[0]
		t.keys[key] = queue[1:]
		ls.mu.Unlock()
		f()
		ls.mu.Lock()
		t.waiting--
		ls.mu.Unlock()
	}
}
