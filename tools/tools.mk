# The generators and checkers, built once from tools/go.mod into bin/tools.
SQLC := bin/tools/sqlc
TEMPL := bin/tools/templ
STATICCHECK := bin/tools/staticcheck

$(SQLC): tools/go.mod
	cd tools && go build -o ../$@ github.com/sqlc-dev/sqlc/cmd/sqlc
$(TEMPL): tools/go.mod
	cd tools && go build -o ../$@ github.com/a-h/templ/cmd/templ
$(STATICCHECK): tools/go.mod
	cd tools && go build -o ../$@ honnef.co/go/tools/cmd/staticcheck
