// Command archipel serves a federated territorial directory with a map.
package main

func main() {}
