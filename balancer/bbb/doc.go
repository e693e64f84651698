// Package bbb is the BigBlueButton protocol: signatures, parameters, the
// catalogue of errors, the XML of the servers, the forms in which people write
// a server's address, and a client for one server.
//
// It knows nothing of pools, tenants or storage and imports no other package
// of this module. The rules it follows are those of BigBlueButton 2.4 to 3.0
// (docs.bigbluebutton.org, "API Reference").
package bbb
