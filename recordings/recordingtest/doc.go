// Package recordingtest makes recordings as BBB servers publish them: every
// generation of the format presentation, well-formed, awkward, broken and
// hostile, for tests. The files are made anew each time, with the help of ffmpeg
// for the media; nothing is kept but what a Studio holds for its life.
//
// It imports nothing of the product: what it writes must come from the format's
// own rules and not from how we read them.
//
// # What happens in a recording
//
// All generations tell the same half minute, so that one table of moments is
// true of each of them.
//
//	 0 s  image1, the first page       1 s  a pencil stroke, in three versions
//	                                 2.5 s  a rectangle, undone at 5 s
//	                                   3 s  an ellipse, a triangle at 3.4 s, a line at 3.8 s, a text at 4 s
//	                                   2 s  the pointer at (1/2, 1/4) of the slide; it goes at 5 s
//	 6 s  image2, the second page      7 s  a dot, at 8 s the result of a poll, both cleared at 11 s; 11.4 s  a line
//	                                 8.4 s  the middle half of the slide, until 10 s
//	                                   9 s  the pointer in the middle; it goes at 10 s
//	12 s  image3, the third page      13 s  a rectangle
//	18 s  image4, the screen is shared until 24 s; from 21 s to 22.5 s the presenter prefers the slides (3.0)
//	24 s  image5, the first page again, drawn upon with one of everything at 24.5 s; in 2.0 that is image1 once more
//
// Chat comes at 1, 4, 7.5, 9 and 16 s, that of 9 s is cleared at 15 s. A poll is
// published at 10 s, a video is shown at 14 s. Captions are spoken from 1 to 4.8 s,
// 7 to 10.8 s, and 19 to 23 s.
package recordingtest
