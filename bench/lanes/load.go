package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// client is one connection that sends the same request again and again. It knows
// just enough HTTP/1.1 to read the answers, so that the load costs little of the
// machine that it shares with what is measured.
type client struct {
	at      string
	request []byte
	want    int  // status
	once    bool // a new connection for each request
	conn    net.Conn
	in      *bufio.Reader
}

// do sends one request and reads its answer.
func (c *client) do() error {
	if c.conn == nil || c.once {
		c.close()
		conn, err := net.DialTimeout("tcp", c.at, 5*time.Second)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReaderSize(conn, 4<<10)
	}
	_ = c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.conn.Write(c.request); err != nil {
		c.close()
		return err
	}
	status, err := c.read()
	if err != nil {
		c.close()
		return err
	}
	if status != c.want {
		return fmt.Errorf("answered %d", status)
	}
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// read reads one answer, whose length is given or whose body is chunked.
func (c *client) read() (status int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("no status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked, end := 0, false, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, _ = strconv.Atoi(string(value))
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Connection")):
			end = bytes.EqualFold(value, []byte("close"))
		}
	}
	for chunked {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return 0, err
		}
		if _, err := c.in.Discard(int(n) + 2); err != nil {
			return 0, err
		}
		chunked = n > 0
	}
	_, err = c.in.Discard(length)
	if end {
		c.close()
	}
	return status, err
}

// sender sends one request and waits for its answer.
type sender interface {
	do() error
	close()
}

// closed sends as fast as n clients can, each waiting for its answer.
func closed(n int, d time.Duration, next func() sender) result {
	var failed atomic.Int64
	took := make([][]time.Duration, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		wg.Go(func() {
			c := next()
			defer c.close()
			for time.Since(start) < d {
				t := time.Now()
				if c.do() != nil {
					failed.Add(1)
					continue
				}
				took[i] = append(took[i], time.Since(t))
			}
		})
	}
	wg.Wait()
	return summed(slices.Concat(took...), time.Since(start), failed.Load())
}

// open sends at a rate, whether the answers keep up or not, and counts the time of
// each request from when it was due: what waits is late, and counted so.
func open(rate int, d time.Duration, next func() sender) result {
	const most = 512 // connections
	total := int(float64(rate) * d.Seconds())
	due := make(chan time.Time, total)
	var failed atomic.Int64
	took := make([][]time.Duration, most)
	var wg sync.WaitGroup
	for i := range min(most, max(16, rate/5)) {
		wg.Go(func() {
			c := next()
			defer c.close()
			for at := range due {
				if c.do() != nil {
					failed.Add(1)
					continue
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	start := time.Now()
	for i := range total {
		at := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(at))
		due <- at
	}
	close(due)
	wg.Wait()
	return summed(slices.Concat(took...), time.Since(start), failed.Load())
}

func summed(times []time.Duration, elapsed time.Duration, failed int64) result {
	slices.Sort(times)
	r := result{PerSec: float64(len(times)) / elapsed.Seconds(), Errors: failed, count: len(times)}
	if len(times) > 0 {
		r.P50 = times[len(times)/2].Seconds() * 1000
		r.P99 = times[len(times)*99/100].Seconds() * 1000
	}
	return r
}

// get writes a GET request; target is the request target as it stands in the line.
func get(target, host string, header ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", target, host)
	for _, h := range header {
		fmt.Fprintf(&b, "%s\r\n", h)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// post writes a POST request with a JSON body.
func post(target, host string, content []byte, header ...string) []byte {
	head := get(target, host, append(header, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(content)))...)
	return append(append([]byte("POST"), head[3:]...), content...)
}

// serve answers every request on l with the same bytes, as cheaply as can be, and
// counts them where somebody wants to know.
func serve(l net.Listener, count *atomic.Int64) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 512\r\n\r\n" + string(body))
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			in := bufio.NewReaderSize(conn, 8<<10)
			for {
				length := 0
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) <= 2 {
						break
					}
					if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
						length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
					}
				}
				if _, err := in.Discard(length); err != nil {
					return
				}
				if count != nil {
					count.Add(1)
				}
				if _, err := conn.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// body is what every target says: 512 bytes of JSON.
var body = []byte(`{"status":"ok","padding":"` + string(bytes.Repeat([]byte("x"), 512-28)) + `"}`)

// warm waits until something answers.
func warm(at string, c sender) error {
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = c.do(); err == nil {
			c.close()
			return nil
		}
		c.close()
	}
	return fmt.Errorf("%s does not answer: %w", at, err)
}

// ending keeps the end of what a process says.
type ending struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (e *ending) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text = append(e.text, p...)
	e.text = e.text[max(0, len(e.text)-2000):]
	return len(p), nil
}
