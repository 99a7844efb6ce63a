package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// typist is where secrets are typed: unseen by a person, line by line by a program.
type typist struct {
	in     io.Reader
	prompt io.Writer
	lines  *bufio.Reader
}

func newTypist(in io.Reader, prompt io.Writer) *typist {
	return &typist{in: in, prompt: prompt, lines: bufio.NewReader(io.LimitReader(in, 4096))}
}

// ask reads one secret, which is called what to whoever types it.
func (t *typist) ask(ctx context.Context, what string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := t.lines.ReadString('\n')
		if err != nil && line == "" {
			return "", usage{fmt.Errorf("no %s was given on standard input", strings.ToLower(what))}
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(t.prompt, what+": ")
	type answer struct {
		text []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- answer{text, err}
	}()
	select {
	case a := <-typed:
		fmt.Fprintln(t.prompt)
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // the reader still waits and hides what is typed
		fmt.Fprintln(t.prompt)
		return "", errors.New("not signed in")
	}
}
