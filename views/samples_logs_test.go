package views_test

import (
	"time"

	"github.com/vivified/vivified/views"
)

func pluginLogs() views.PluginLogs {
	f := views.LogFilter{Plugin: "hello-greeter", Text: "greet"}
	began := now.Add(-3 * time.Hour)
	return views.PluginLogs{
		Head: head("logs"), Filter: f.Bar(), Tail: f.Tail(), Any: true, Pager: views.Pager{Older: "/console/plugins/hello-greeter/logs?before=39"},
		Lines: []views.LogLine{
			{Seq: 41, At: now.Add(-time.Minute), Stream: "stderr", Text: `{"level":"WARN","msg":"greeting not sent","language":"tlh"}`},
			{Seq: 40, At: now.Add(-2 * time.Minute), Stream: "stdout", Text: "greeted \u202e<b>Ada</b>\x1b[31m", Cut: true},
			{Seq: 39, At: now.Add(-2 * time.Minute), Stream: "stdout", Text: "greeter is there"},
		},
		Runs: []views.RunLine{
			{Started: began, Status: views.Running, Version: "1.2.0", How: "it runs", Href: "/console/plugins/hello-greeter/logs?instance=hello-greeter.2"},
			{Started: began.Add(-time.Hour), Ended: began.Add(-time.Minute), Status: views.Failed, Version: "1.2.0", How: "exit status 3", Href: "/console/plugins/hello-greeter/logs?instance=hello-greeter.1"},
		},
	}
}
