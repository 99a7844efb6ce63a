package db

import "log/slog"

// What tests look at from inside: code that reads what others may have written.
var (
	ParsePidFile    = func(text string) (pid int, socket string) { r := parsePidFile(text); return r.pid, r.socket }
	RemoveSocketDir = removeSocketDir
	NewServerLog    = func(log *slog.Logger) interface {
		Write([]byte) (int, error)
	} {
		return &serverLog{log: log}
	}
)
