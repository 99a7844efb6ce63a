package main

import (
	_ "github.com/dexidp/dex/server"
	_ "github.com/dexidp/dex/storage/memory"
	_ "github.com/dexidp/dex/web"
)

func main() {}
