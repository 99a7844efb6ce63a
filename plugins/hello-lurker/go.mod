module github.com/vivified/vivified/plugins/hello-lurker

go 1.26.0

require github.com/vivified/vivified/sdk/go v0.0.0

replace github.com/vivified/vivified/sdk/go => ../../sdk/go
