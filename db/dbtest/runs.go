package dbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// recordRun notes the go command that runs this test program, when there is
// one: as long as it lives, more packages may come.
func recordRun(dir string) error {
	name, id := processIdentity(os.Getppid())
	if name != "go" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, runsFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%d %s\n", os.Getppid(), id)
	return err
}

// anyRunAlive reports whether one of the recorded go commands still runs.
func anyRunAlive(dir string) bool {
	text, _ := os.ReadFile(filepath.Join(dir, runsFile))
	for line := range strings.Lines(string(text)) {
		var pid int
		var id string
		if n, _ := fmt.Sscan(line, &pid, &id); n != 2 {
			continue
		}
		if name, now := processIdentity(pid); name == "go" && now == id {
			return true
		}
	}
	return false
}
