package storetest
var lostReplyTests []conformance
var partitionTests []conformance
var modelTests []conformance
