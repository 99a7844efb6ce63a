// Command caddy is a plain reverse proxy made of Caddy, for bench/lanes to measure
// the lanes beside: caddy LISTEN TARGET, both as host:port.
package main

import (
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: caddy LISTEN TARGET")
	}
	type object = map[string]any
	config, err := json.Marshal(object{
		"admin":   object{"disabled": true},
		"logging": object{"logs": object{"default": object{"level": "ERROR"}}},
		"apps": object{"http": object{"servers": object{"bench": object{
			"listen": []string{os.Args[1]}, "automatic_https": object{"disable": true},
			"routes": []object{{"handle": []object{{"handler": "reverse_proxy", "upstreams": []object{{"dial": os.Args[2]}}}}}},
		}}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	_ = caddy.Stop()
}
