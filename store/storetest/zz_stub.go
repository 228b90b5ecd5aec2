package storetest

var modelTests []conformance
