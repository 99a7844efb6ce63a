package wire

import (
	"sync"
	"time"
)

// pool holds the connections that carry nothing now. What was used last is used
// first, so that the others grow old.
type pool struct {
	each, most int
	patience   time.Duration

	mu    sync.Mutex
	idle  map[string][]*conn // the last used one last
	kept  int
	sweep *time.Timer // runs while there are any
}

// take returns a kept connection to address, or nil.
func (p *pool) take(address string) *conn {
	for {
		c := p.last(address)
		if c == nil || time.Since(c.since) < p.patience && quiet(c.Conn) {
			return c
		}
		c.Close()
	}
}

func (p *pool) last(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[address]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[address] = list[:len(list)-1]
	p.kept--
	return c
}

// settle ends the use of a connection: it is kept, or closed.
func (p *pool) settle(c *conn, keep bool) {
	if !c.release() || !keep || c.in.Buffered() > 0 || !p.put(c) {
		c.Close()
	}
}

func (p *pool) put(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[c.address]
	if len(list) >= p.each || p.kept >= p.most {
		return false
	}
	if p.idle == nil {
		p.idle = map[string][]*conn{}
	}
	c.since, c.release = time.Now(), nil
	p.idle[c.address] = append(list, c)
	p.kept++
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.patience, p.old)
	}
	return true
}

// old closes what was kept for long enough.
func (p *pool) old() {
	p.drop(time.Now().Add(-p.patience))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweep = nil; p.kept > 0 {
		p.sweep = time.AfterFunc(p.patience, p.old)
	}
}

// clear closes all that is kept.
func (p *pool) clear() { p.drop(time.Now().Add(time.Hour)) }

// drop closes what has been idle since before.
func (p *pool) drop(before time.Time) {
	var gone []*conn
	p.mu.Lock()
	for address, list := range p.idle {
		n := 0
		for n < len(list) && list[n].since.Before(before) {
			n++
		}
		gone = append(gone, list[:n]...)
		p.kept -= n
		if n == len(list) {
			delete(p.idle, address)
		} else {
			p.idle[address] = append([]*conn(nil), list[n:]...)
		}
	}
	p.mu.Unlock()
	for _, c := range gone {
		c.Close()
	}
}
