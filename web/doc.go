// Package web is the program's HTTP side: the BBB API that front-ends speak,
// the management API, health and metrics. It verifies and decodes requests and
// renders answers; what they mean is decided in package balancer. Echo is used
// here and nowhere else.
package web
