// Package playertest plays recordings of every generation in a real browser,
// from the real server: it has only tests. They need Chromium and ffmpeg, and
// are skipped without them, but under CI=true they fail.
package playertest
