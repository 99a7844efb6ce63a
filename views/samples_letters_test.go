package views_test

import (
	"fmt"
	"time"

	"github.com/vivified/vivified/views"
)

func letters() views.Letters {
	l := views.Letters{
		Tabs:   views.EventTabs(views.PathLetters, 24),
		Filter: views.LetterFilter{State: "waiting", Text: "answered"}.Bar(views.PathLetters, []views.Option{{Value: "greeting.requested", Label: "greeting.requested"}}, []views.Option{{Value: "hello-greeter", Label: "Hello Greeter"}}),
		Pager:  views.Pager{Older: views.PathLetters + "?cursor=x"},
		All:    &views.Action{Label: "Replay all that wait", Icon: "rotate-ccw", Ask: true, Href: views.PathLetters + "/replay?"},
	}
	for i := range views.LettersPerPage {
		id := fmt.Sprintf("01959f3c-7a10-7e4c-9d21-%012d", i)
		r := views.LetterRow{
			ID: id, At: ago(time.Duration(i) * time.Hour), Type: "greeting.requested", Event: id, Source: publisher, Receiver: greeter, Attempts: 20, Reason: "answered 503",
			State: views.Waiting, Actions: []views.Action{
				{Label: "Replay", Object: "greeting.requested for Hello Greeter", Icon: "rotate-ccw", Href: views.LetterPath(id, "replay")},
				{Label: "Discard", Object: "greeting.requested for Hello Greeter", Ask: true, Danger: true, Href: views.LetterPath(id, "discard")},
			},
		}
		if i == 2 {
			r.State, r.Settled, r.SettleAt, r.Actions = views.Discarded, "by Mara Lindqvist: the patient was moved before it came", now, nil
		}
		l.Rows = append(l.Rows, r)
	}
	return l
}
