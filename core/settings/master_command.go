package settings

import (
	"bytes"
	"context"
	"encoding/base64"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vivified/vivified/core/fault"
)

const (
	commandTimeout = 30 * time.Second
	maxWrapped     = 16 << 10 // bytes a command may answer
	maxComplaint   = 300      // bytes of what it complains
)

// keyCommand asks a program to wrap and unwrap, so that the master key never is
// in this process: a key management service keeps it. The program gets wrap or
// unwrap as its last argument and one line of base64 on its standard input, and
// answers with one line of base64.
type keyCommand struct{ argv []string }

// newKeyCommand reads a program and its arguments. There is no shell, and the
// program is named by its whole path.
func newKeyCommand(line string) (*keyCommand, error) {
	argv := strings.Fields(line)
	if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
		return nil, fault.New(fault.Invalid, "master_key.command", "VIVIFIED_MASTER_KEY_COMMAND must name a program by its whole path, with its arguments behind it.")
	}
	return &keyCommand{argv}, nil
}

// run has the program turn in into what it answers. Nothing of either is in an error.
func (k *keyCommand) run(ctx context.Context, verb string, in []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.argv[0], append(append([]string{}, k.argv[1:]...), verb)...)
	out, complaint := &bounded{most: maxWrapped}, &bounded{most: maxComplaint}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(base64.StdEncoding.EncodeToString(in)+"\n"), out, complaint
	cmd.WaitDelay = time.Second // a child of it may hold its output open
	refused := func(what string, err error) error {
		return fault.New(fault.Unavailable, "master_key.command", "%s %s %s.", k.argv[0], verb, what).Because(err)
	}
	if err := cmd.Run(); err != nil {
		why := strings.TrimSpace(strings.ToValidUTF8(complaint.String(), ""))
		if line, _, more := strings.Cut(why, "\n"); more {
			why = line
		}
		if !printable(why) || why == "" {
			return nil, refused("failed", err)
		}
		return nil, refused("failed: "+strings.TrimSuffix(why, "."), err)
	}
	answer, err := base64.StdEncoding.DecodeString(strings.TrimSpace(out.String()))
	if err != nil || len(answer) == 0 || out.cut {
		return nil, refused("did not answer with one line of base64", nil)
	}
	if verb == "unwrap" && len(answer) != KeySize {
		return nil, refused("did not answer with a key of 32 bytes", nil)
	}
	return answer, nil
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	kept bytes.Buffer // not embedded: its ReadFrom would take all there is
	most int
	cut  bool
}

func (b *bounded) String() string { return b.kept.String() }

func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.most-b.kept.Len())
	b.cut = b.cut || keep < len(p)
	b.kept.Write(p[:keep])
	return len(p), nil
}
