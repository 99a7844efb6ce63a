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

# The generator of the gRPC code, and the two that it runs.
PROTOGEN := bin/tools/protogen

$(PROTOGEN): tools/protogen/go.mod tools/protogen/main.go
	cd tools/protogen && go build -o ../../bin/tools/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc && go build -o ../../$@ .
