package cluster

// What the tests outside the package reach into.
var (
	ParseIdentity = parseIdentity
	Supported     = supported
	CheckName     = checkName
)
