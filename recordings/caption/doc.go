// Package caption reads and writes the text tracks of recordings: subtitles in
// SubRip (SRT) and WebVTT, and the captions.json that lists them. It owns which
// of the many shapes that subtitles have in the field are understood, and that
// what comes out is WebVTT that every player reads in the same way and that
// holds nothing but text.
//
// It works on bytes in memory, whose number the caller bounds, and imports
// nothing of this module but the metadata package's charset.
package caption
