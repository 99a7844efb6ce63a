module github.com/vivified/vivified/sdk/go

go 1.26.0
