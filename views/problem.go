package views

import "strconv"

// Problem is a refusal or failure as a page that says what to do.
type Problem struct {
	Status   int    // of HTTP
	Title    string // empty: the usual one of the status
	Detail   string // one sentence
	Code     string // proxy.domain
	Why      *Why   // for a denial
	Trace    string
	Actions  []Action
	SignedIn bool // the rail is there to go on from
}

type problemLook struct {
	icon        IconName
	title, help string
}

var problems = map[int]problemLook{
	400: {"file-x", "The request could not be read", "Go back and try again from the page itself."},
	401: {"lock", "You are not signed in", "Sign in and you are brought back here."},
	403: {"ban", "Not yours to see", "Someone who may grant it can open it for you."},
	404: {"search", "There is nothing at this address", "It may have been renamed or removed, or you may not know of it."},
	405: {"ban", "This address does not take that", "Go back and try again from the page itself."},
	409: {"git-compare", "It changed meanwhile", "Look at it again, then decide anew. Nothing was changed by you."},
	410: {"link-2-off", "This is over", "It worked once, or until a time. Ask for a new one."},
	413: {"file-x", "That is too large", "Send less at once."},
	422: {"circle-alert", "Some values need a correction", "Go back and correct them; nothing was saved."},
	429: {"hourglass", "Too many requests", "Wait a moment, then try again."},
	500: {"octagon-x", "The core failed to answer", "It is not your doing. The log has the reason under the trace below."},
	502: {"unplug", "The plugin answered wrongly", "Its page shows its health; its log has the reason."},
	503: {"unplug", "Something this needs is down", "It recovers by itself; try again in a moment."},
	504: {"hourglass", "The plugin did not answer in time", "Its page shows its health."},
}

func (p Problem) look() problemLook {
	if l, ok := problems[p.Status]; ok {
		return l
	}
	return problemLook{"circle-alert", "Error " + strconv.Itoa(p.Status), "Try again from the page before."}
}

func (p Problem) title() string {
	if p.Title != "" {
		return p.Title
	}
	return p.look().title
}
