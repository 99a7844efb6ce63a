package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"
)

// longestLine is where an endless line is cut, in bytes.
const longestLine = 64 << 10

// colours are those of the processes, one after the other (ANSI, foreground).
var colours = [...]string{"36", "33", "32", "35", "34", "31"}

// console prints the lines of several processes, each under its name.
type console struct {
	mu     sync.Mutex
	out    io.Writer
	width  int // of the longest name
	colour map[string]string
}

// newConsole prints to out, in colour where that is a terminal and NO_COLOR is not set.
func newConsole(out io.Writer, entries []entry, env map[string]string) *console {
	c := &console{out: out, width: len("up"), colour: map[string]string{}}
	colourful := isTerminal(out) && env["NO_COLOR"] == "" && env["TERM"] != "dumb"
	for i, e := range entries {
		c.width = max(c.width, len(e.name))
		if colourful {
			c.colour[e.name] = colours[i%len(colours)]
		}
	}
	return c
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// line prints one line under a name. A terminal that is gone takes nothing with it.
func (c *console) line(name string, text []byte) {
	prefix := fmt.Sprintf("%-*s | ", c.width, name)
	if code := c.colour[name]; code != "" {
		prefix = "\x1b[" + code + "m" + prefix + "\x1b[0m"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.out, "%s%s\n", prefix, text)
}

// say prints a line of up's own.
func (c *console) say(text string) { c.line("up", []byte(text)) }

// box prints lines in a frame.
func (c *console) box(lines []string) {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l))
	}
	var b strings.Builder
	rule := strings.Repeat("─", width+2)
	fmt.Fprintf(&b, "\n  ┌%s┐\n", rule)
	for _, l := range lines {
		fmt.Fprintf(&b, "  │ %s%s │\n", l, strings.Repeat(" ", width-utf8.RuneCountInString(l)))
	}
	fmt.Fprintf(&b, "  └%s┘\n\n", rule)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.out, b.String())
}

// lines cuts what a process writes into lines for the console.
type lines struct {
	console *console
	name    string
	rest    []byte
}

func (l *lines) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 && len(l.rest) < longestLine {
			return len(text), nil
		}
		next := end + 1
		if end < 0 || end > longestLine {
			end, next = longestLine, longestLine
		}
		l.console.line(l.name, bytes.TrimSuffix(l.rest[:end], []byte("\r")))
		l.rest = l.rest[next:]
	}
}

// flush prints a last line that was not ended.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.console.line(l.name, l.rest)
		l.rest = nil
	}
}
