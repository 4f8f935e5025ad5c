package api

// Sink is sink, for tests.
var Sink = sink
