package evidence

// How addresses are read, for tests.
var (
	DatabaseWay = databaseWay
	URLWay      = urlWay
)
