module github.com/vivified/vivified/plugins/hello-site

go 1.26.0

require golang.org/x/net v0.62.0 // indirect
